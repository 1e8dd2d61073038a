"""Books whose values are counted, and the counts in short."""

BOOKS = [
    {
        "title": "Emma",
        "subtitle": "a novel",
        "authors": ["Jane Austen"],
        "isbn": "9780141439587",
        "publisher": "Murray",
        "published": "1815-12-23",
        "language": "en-GB",
        "series": "Classics",
        "series_number": "7",
        "edition": "1st",
        "pages": 474,
        "description": "d",
        "subjects": ["Fiction", "Love | stories"],
        "identifiers": [{"scheme": "lccn", "value": "1"}],
        "cover_url": "https://example.org/a.jpg",
        "location": "Room 1",
        "call_number": "PR 1",
        "copies": 2,
    },
    {
        "title": "=1+1",
        "authors": ["JANE AUSTEN", "Zola, Émile"],
        "published": "1813",
        "language": "en",
        "subjects": ["fiction"],
        "publisher": "murray",
    },
    {
        "title": "Iliad",
        "authors": ["Homer", "homer", "HOMER"],
        "published": "-0720-01-01",
        "language": "grc",
        "subjects": ["FICTION", "Fiction", "Épée"],
        "publisher": "MURRAY",
        "series": "classics",
    },
    {
        "title": "Germinal",
        "authors": ["zola, emile"],
        "published": "1885",
        "language": "fr",
        "publisher": "Łódź",
        "subjects": ["Epee"],
    },
    {
        "title": "Nana",
        "authors": ["ZOLA, EMILE"],
        "published": "1880",
        "language": "fr",
        "publisher": "lodz",
        "subjects": ["<&> \"'"],
    },
    {"title": "Bare"},
    {"title": "Zero", "published": "0000", "language": "en"},
    {"title": "Nine", "published": "0009-12-31"},
    {"title": "Ten", "published": "0010"},
    {"title": "Minus one", "published": "-0001-12-31"},
    {"title": "Minus ten", "published": "-0010-01-01"},
    {"title": "Minus eleven", "published": "-0011-12"},
    {"title": "The end", "published": "9999"},
    {"title": "The beginning", "published": "-9999", "language": "grc"},
]
TRASH = {
    "title": "Emma",
    "authors": ["Jane Austen", "Only in the trash"],
    "publisher": "Murray",
    "subjects": ["Fiction"],
    "language": "en",
    "series": "Classics",
    "published": "1815",
}


def reported(pairs):
    """Values with their counts, as short as they are read: `value 2`."""
    return [f"{pair['value']} {pair['count']}" for pair in pairs]


def facets(client, query):
    answer = client.get(f"/books?{query}")
    assert answer.status_code == 200, answer.get_data()
    return {name: reported(pairs) for name, pairs in answer.json["facets"].items()}


def pairs(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.get_data()
    return reported(answer.json["terms"])
