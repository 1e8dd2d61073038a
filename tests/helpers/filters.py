"""Books that filters find and do not find."""

from helpers.documents import ids

# By a short name each; the ids count from 1 in this order.
SHELF = {
    "iliad": {
        "title": "The Iliad",
        "authors": ["Homer"],
        "published": "-0720-03",
        "publisher": "Μόρφωση",
        "subjects": ["Epic poetry", "Troy"],
        "language": "grc",
    },
    "odyssey": {
        "title": "The Odyssey",
        "authors": ["Homer", "E. V. Rieu"],
        "published": "-0719",
        "series": "Épics",
        "subjects": ["EPIC  poetry"],
        "publisher": "Penguin",
    },
    "zero": {"title": "Year zero", "published": "0000", "publisher": "penguin ", "series": "epics"},
    "one": {"title": "Year one", "published": "0001-01-01", "publisher": "Pénguin Books"},
    "lodz": {
        "title": "Łódź",
        "authors": ["Søren Æbelø"],
        "published": "1999-12-31",
        "publisher": "Łódź Press",
        "subjects": ["Łódź", "łodz"],
        "series": "Ľ",
        "language": "pl",
    },
    "two thousand": {
        "title": "Two thousand",
        "published": "2000",
        "publisher": "100%_sure",
        "subjects": ["Fish & chips"],
        "identifiers": [
            {"scheme": "isbn", "value": "9781402894626"},
            {"scheme": "goodreads", "value": "6969"},
        ],
    },
    "last": {
        "title": "The last",
        "published": "9999-12-31",
        "isbn": "9780141439587",
        "identifiers": [
            {"scheme": "lccn", "value": "a:b:c"},
            {"scheme": "doi", "value": "10.1000/ÄB c"},
            {"scheme": "x._-1", "value": "é"},
        ],
    },
    "first": {
        "title": "The first",
        "published": "-9999",
        "identifiers": [
            {"scheme": "goodreads", "value": "6969"},
            {"scheme": "goodreads", "value": "6969"},
        ],
        "language": "en",
    },
    "bare": {"title": "Bare"},
    "long": {
        "title": "L" * 2000,
        "authors": ["a" * 500],
        "publisher": "é" * 500,
        "series": "s" * 500,
        "subjects": ["ﬄ" * 200],
        "identifiers": [{"scheme": "s" * 32, "value": "v" * 500}],
    },
    "marks": {
        "title": "?",
        "authors": ["!"],
        "publisher": "\u0301x",
        "subjects": ["'"],
        "series": "%",
    },
}
NAMES = list(SHELF)
TRASH = [
    {
        "title": "Thrown away",
        "authors": ["Homer"],
        "isbn": "9780306406157",
        "publisher": "Penguin",
        "language": "en",
        "published": "1999",
        "subjects": ["Epic poetry"],
        "series": "Epics",
        "identifiers": [
            {"scheme": "isbn", "value": "9780140275360"},
            {"scheme": "goodreads", "value": "6969"},
        ],
    },
    {
        "title": "Another",
        "authors": ["Vergil"],
        "isbn": "9780306406157",
        "published": "2001",
        "language": "la",
    },
    {"title": "The Iliad", "published": "-0720", "language": "grc", "publisher": "Penguin"},
]


def names(answer):
    found = [NAMES[number - 1] for number in ids(answer)]
    assert answer.json.get("total", len(found)) == len(found)
    return found


YEARS = {
    "published_from=2000": ["two thousand", "last"],
    "published_from=1999": ["lodz", "two thousand", "last"],
    "published_to=-720": ["iliad", "first"],
    "published_to=-721": ["first"],
    "published_to=-719": ["iliad", "odyssey", "first"],
    "published_from=-720&published_to=-720": ["iliad"],
    "published_from=-719&published_to=-719": ["odyssey"],
    "published_from=-720&published_to=-719": ["iliad", "odyssey"],
    "published_from=-9999&published_to=-9999": ["first"],
    "published_from=0&published_to=0": ["zero"],
    "published_from=-0&published_to=0000": ["zero"],
    "published_from=1&published_to=1": ["one"],
    "published_from=0001&published_to=01": ["one"],
    "published_from=-1&published_to=1": ["zero", "one"],
    "published_from=1999&published_to=1999": ["lodz"],
    "published_from=2000&published_to=1999": [],
    "published_from=9999": ["last"],
    "published_to=9999": [
        "iliad",
        "odyssey",
        "zero",
        "one",
        "lodz",
        "two thousand",
        "last",
        "first",
    ],
    "published_from=-720&published_to=0": ["iliad", "odyssey", "zero"],
    "published_from=-0720&published_to=-0720": ["iliad"],
}
