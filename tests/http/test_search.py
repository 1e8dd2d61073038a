"""Full-text search over HTTP: matches, order, and other parameters. docs/api.md, Search."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from bookapi.books.models import Book, BookAuthor, BookIdentifier, BookSubject, BookWords
from bookapi.catalogue import Catalogue
from bookapi.db import db
from bookapi.text import clean, words
from helpers.data import hostile_strings, real_titles
from helpers.documents import ids
from helpers.support import jsonl_bytes, store

# By a short name each; the ids count from 1 in this order.
SHELF = {
    "emma": {
        "title": "Emma",
        "authors": ["Jane Austen"],
        "isbn": "0141439580",
        "language": "en-GB",
        "published": "1815-12",
        "publisher": "John Murray",
        "subjects": ["Fiction", "Love stories"],
    },
    "pride": {
        "title": "Pride and Prejudice",
        "subtitle": "A Novel in Three Volumes",
        "authors": ["Jane Austen"],
        "published": "1813",
        "language": "en",
        "publisher": "Egerton",
        "series": "World's Classics",
        "identifiers": [
            {"scheme": "isbn", "value": "978-1-4028-9462-6"},
            {"scheme": "lccn", "value": "cc"},
        ],
    },
    "about": {
        "title": "Jane's world",
        "authors": ["Emma Thompson"],
        "published": "1999",
        "language": "en",
        "description": "On the novels of Jane Austen, and of Emma in particular.",
    },
    "series": {
        "title": "Persuasion",
        "series": "Emma and others",
        "authors": ["Austen, Jane"],
        "publisher": "Murray",
    },
    "emmas": {
        "title": "Emma's  war",
        "authors": ["Deborah Scroggins"],
        "published": "2002",
        "language": "en",
    },
    "emma again": {
        "title": "EMMA!",
        "authors": ["Ford, Emma"],
        "language": "de",
        "published": "1960",
    },
    "mine": {"title": "Emma", "subtitle": "a manga", "description": "Emma, Emma, Emma: Emma."},
    "emile": {
        "title": "Émile, ou De l’éducation",
        "authors": ["Rousseau, Jean-Jacques"],
        "language": "fr",
        "published": "1762",
        "subjects": ["Éducation"],
    },
    "miserables": {"title": "Les Mise\u0301rables", "authors": ["Victor Hugo"], "language": "fr"},
    "strasse": {
        "title": "Die Straße",
        "authors": ["Günter Œrtel"],
        "description": "ﬁn de siècle, Łódź",
    },
    "war": {"title": "Война и мир", "authors": ["Лев Толстой"], "language": "ru"},
    "dream": {
        "title": "红楼梦",
        "authors": ["曹雪芹"],
        "language": "zh",
        "description": "又名《石头记》",
    },
    "cat": {
        "title": "吾輩は猫である",
        "authors": ["夏目漱石"],
        "language": "ja",
        "publisher": "ジョン・スミス社",
    },
    "vegetarian": {
        "title": "채식주의자",
        "authors": ["한강"],
        "language": "ko",
        "subjects": ["한국 문학"],
    },
    "mecca": {"title": "مَكْتَبَة كبيرة", "authors": ["نجيب محفوظ"], "language": "ar"},
    "shalom": {"title": "שָׁלוֹם רב", "authors": ["עמוס עוז"], "language": "he"},
    "thai": {"title": "ภาษาไทยง่าย", "authors": ["ชาติ กอบจิตติ"], "language": "th"},
    "hindi": {"title": "हिन्दी साहित्य का इतिहास", "authors": ["रामचन्द्र शुक्ल"], "language": "hi"},
    "greek": {"title": "Ὀδύσσεια", "authors": ["Ὅμηρος"], "language": "grc", "published": "-0720"},
    "signs": {
        "title": "C++ & C#: 100% _sure_ -- AT&T's \"near\" (not) 'so'",
        "subjects": ["C++", "a;b", "AND"],
    },
    "operators": {
        "title": "To be or not to be",
        "subtitle": "and near the end",
        "series": "distance 8",
    },
    "stop": {"title": "The Who: this is it", "authors": ["A. B."], "publisher": "of the"},
    "borders": {
        "title": "left",
        "subtitle": "right",
        "authors": ["alpha beta", "gamma delta"],
        "series": "one two",
        "publisher": "three four",
        "subjects": ["five six", "seven eight"],
        "description": "nine ten",
    },
    "quran": {"title": "The Qurʼān of Hawaiʻi"},
    "marks": {"title": "📚 → !?", "description": "…"},
    "zz": {"title": "zz z0065 zé", "subtitle": "pizza zoo"},
    "cell": {"title": "co\u00adoperation by\u200bpass", "description": "x² and ½"},
    "hidden": {
        "title": "Unsearched",
        "series_number": "hiddenword",
        "edition": "hiddenword",
        "language": "en",
        "identifiers": [{"scheme": "lccn", "value": "hiddenword"}],
        "cover_url": "https://hiddenword.example/",
    },
}
NAMES = list(SHELF)
TRASH = {"title": "Emma in the trash", "authors": ["Jane Austen"], "isbn": "9780306406157"}


@pytest.fixture
def shelf(app, admin):
    """An admin's client of the catalogue above; one more book is in the trash."""
    store(app, *SHELF.values(), TRASH)
    assert admin.delete(f"/books/{len(SHELF) + 1}").status_code == 204
    return admin


def found(client, q, **more):
    """What a search finds, in order: the names of the shelf."""
    answer = client.get("/books", query_string={"q": q, "limit": 100, **more})
    assert answer.status_code == 200, (q, answer.get_data())
    names = [NAMES[book["id"] - 1] for book in answer.json["books"]]
    assert answer.json["total"] == len(names)
    return names


# -- what is found ---------------------------------------------------------------------

WORDS = {
    "persuasion": ["series"],
    "PERSUASION": ["series"],
    "  persuasion ": ["series"],
    "persuasio": [],
    "persuasions": [],
    "jane persuasion": ["series"],
    "persuasion jane": ["series"],
    "persuasion hugo": [],
    "austen -emma": ["pride"],
    "volumes": ["pride"],
    "classics": ["pride"],
    "egerton": ["pride"],
    "stories": ["emma"],
    "particular": ["about"],
    "2002": [],
    "lccn": [],
    "hiddenword": [],
    "cc": [],
    "unsearched": ["hidden"],
    "a manga": ["mine"],
    "the": ["stop", "quran", "operators", "about"],
    "who": ["stop"],
    "this is it": ["stop"],
    "of the": ["quran", "stop", "about"],
    "a b": ["signs", "stop"],
    "quran": ["quran"],
    "Hawaii": ["quran"],
    "zoo": ["zz"],
    "zz": ["zz"],
    "z0065": ["zz"],
    "ze": ["zz"],
    "zé": ["zz"],
    "ze zz": ["zz"],
    "z": [],
    "z00e9": [],
    "ze9": [],
    "pizza": ["zz"],
    "cooperation": ["cell"],
    "bypass": ["cell"],
    "x2": ["cell"],
    "coopera*": ["cell"],
}
FOLDED = {
    "emile": ["emile"],
    "EMILE": ["emile"],
    "E\u0301mile": ["emile"],
    "éducation": ["emile"],
    "l'education": ["emile"],
    "l’éducation": ["emile"],
    "miserables": ["miserables"],
    "misérables": ["miserables"],
    "strasse": ["strasse"],
    "STRASSE": ["strasse"],
    "straße": ["strasse"],
    "gunter oertel": ["strasse"],
    "fin de siecle": ["strasse"],
    "lodz": ["strasse"],
    "ŁÓDŹ": ["strasse"],
    "ｆｉｎ": ["strasse"],
    "don": [],
    "odysseia": [],
}
SCRIPTS = {
    "война": ["war"],
    "ВОЙНА МИР": ["war"],
    "толстой": ["war"],
    "вой*": ["war"],
    "мира": [],
    "οδυσσεια": ["greek"],
    "ΟΔΎΣΣΕΙΑ ομηρος": ["greek"],
    "红楼梦": ["dream"],
    "红楼": ["dream"],
    "楼": ["dream"],
    "楼红": [],
    "红梦": [],
    "红 梦": ["dream"],
    "曹雪芹 红楼梦": ["dream"],
    "石头记": ["dream"],
    "《红楼梦》": ["dream"],
    "红楼*": ["dream"],
    "猫": ["cat"],
    "猫である": ["cat"],
    "夏目漱石": ["cat"],
    "夏目 猫": ["cat"],
    "ﾈｺ": [],
    "채식주의자": ["vegetarian"],
    "채식": ["vegetarian"],
    "한강": ["vegetarian"],
    "한국": ["vegetarian"],
    "한국 문학": ["vegetarian"],
    "강한": [],
    "\u1112\u1161\u11ab\u1100\u1161\u11bc": ["vegetarian"],
    "مكتبة": ["mecca"],
    "مَكْتَبَة": ["mecca"],
    "محفوظ كبيرة": ["mecca"],
    "שלום": ["shalom"],
    "שָׁלוֹם רב": ["shalom"],
    "עוז": ["shalom"],
    "ภาษา": ["thai"],
    "ไทย": ["thai"],
    "ษาภา": [],
    "ชาติ": ["thai"],
    "हिन्दी": ["hindi"],
    "साहित्य हिन्दी": ["hindi"],
    "हि*": ["hindi"],
    "हि": [],
}
PHRASES = {
    '"pride and prejudice"': ["pride"],
    '"and prejudice"': ["pride"],
    '"prejudice and"': [],
    '"pride prejudice"': [],
    "“Pride and Prejudice”": ["pride"],
    '"jane austen"': ["emma", "pride", "about"],
    '"austen jane"': ["series"],
    '"pride and': ["pride"],
    '"jane austen" murray': ["emma"],
    '"the who this"': ["stop"],
    '"this is it"': ["stop"],
    '"to be" not': ["operators"],
    '"be to"': [],
    '"to be or not to be"': ["operators"],
    '"emma emma"': ["mine"],
    '"emma emma emma emma"': ["mine"],
    '"emma emma emma emma emma"': [],
    '"红楼"': ["dream"],
    '"红 楼 梦"': ["dream"],
    "well-known": [],
    "jean-jacques": ["emile"],
    "jacques-jean": [],
    "Emma's": ["emmas"],
    '"emma s war"': ["emmas"],
}
PREFIXES = {
    "prej*": ["pride"],
    "PREJ*": ["pride"],
    "préj*": ["pride"],
    "prejudice*": ["pride"],
    "prejudices*": [],
    "pri* pre*": ["pride"],
    "pri* hugo": [],
    "*": [],
    "mur* emma": ["emma", "series"],
    '"jane austen" mur*': ["emma"],
    "9780141*": ["emma"],
    "97814*": ["pride"],
    "zo*": ["zz"],
    "z*": ["zz"],
    "*ride": [],
    "p*e": [],
    "w* mani*": [],
}
EXCLUSIONS = {
    "jane -emma": ["pride"],
    "jane -austen": [],
    'jane -"jane austen"': ["series"],
    "emma -jane -war": ["emma again", "mine"],
    "emma -em*": [],
    "emma -w*": ["emma", "emma again", "mine", "series"],
    "-emma emma": [],
    "dieu -emma": [],
    "-nothinglikethis emile": ["emile"],
    "emile -education": [],
    '"jane austen" -emm*': ["pride"],
    'jane "in particular" -egg*': ["about"],
    '"jane austen" emma -mur* -w*': [],
    '"to be" -nea*': [],
    '"jane austen" -mur* -"no such"': ["pride", "about"],
    'emma -"no such" -w*': ["emma", "emma again", "mine", "series"],
    "红楼 -her*": ["dream"],
    "emma -well-known -wor*": ["emma", "emma again", "mine", "series", "emmas"],
    "emma -0141439580": ["emma again", "mine", "emmas", "series", "about"],
    "红楼 -猫": ["dream"],
    "红楼 -梦": [],
}
ISBN = {
    "9780141439587": ["emma"],
    "0141439580": ["emma"],
    "0-14-143958-0": ["emma"],
    "978-0-14-143958-7": ["emma"],
    "978 0 14 143958 7": ["emma"],
    "978–0–14–143958–7": ["emma"],
    "978-1-4028-9462-6": ["pride"],
    "1402894628": [],
    "jane 0141439580": ["emma"],
    "jane 9781402894626": ["pride"],
    "hugo 0141439580": [],
    "9780306406157": [],
    "9780141439588": [],
    "978": [],
    "143958": [],
    "1-4028-9462-7": ["pride"],
}
NOTHING = {
    text: []
    for text in (
        "!",
        "?!",
        "*",
        "-",
        "--",
        "- -",
        '"',
        '""',
        '" "',
        "…",
        "📚",
        "→",
        "'",
        ";",
        "%",
        "_",
        "\\",
        "()",
        "[]",
        "{}",
        "<>",
        "+",
        "~",
        "^",
        "@",
        ":",
        "&",
        "|",
        "'; --",
        "-*",
        "-!",
        '-""',
        "*-",
        "\u0301",
    )
}
OPERATORS = {
    "hugo AND miserables": [],
    "hugo NOT emma": [],
    "NEAR(hugo miserables)": [],
    "to OR be": ["operators"],
    "NOT": ["operators", "signs"],
    "NEAR": ["operators", "signs"],
    "near not": ["operators", "signs"],
    "persuasion OR hugo": [],
    "title:emma": [],
    "title:persuasion": [],
    "^persuasion": ["series"],
    "{persuasion}": ["series"],
    "+persuasion": ["series"],
    "+persuasion +hugo": [],
    "~persuasion": ["series"],
    "<persuasion": ["series"],
    ">persuasion": ["series"],
    "(persuasion)": ["series"],
    "(persuasion": ["series"],
    "persuasion)": ["series"],
    "(persuasion OR hugo)": [],
    '"to be" @8': ["operators"],
    '"to be" @distance': ["operators"],
    "@distance": ["operators"],
    "C++": ["signs"],
    "100%": ["signs"],
    "_sure_": ["signs"],
    "AT&T": ["signs"],
    "a;b": ["signs", "stop"],
    "words:persuasion": [],
    "per%": [],
    "persuasio_": [],
    "p?rsuasion": [],
    "rank": [],
    "persuasion~2": [],
    "persuasion^2": [],
}
BORDERS = {
    '"left right"': [],
    '"right alpha"': [],
    '"beta gamma"': [],
    '"delta one"': [],
    '"two three"': [],
    '"four five"': [],
    '"six seven"': [],
    '"eight nine"': [],
    '"ten left"': [],
    "left right": ["borders"],
    "beta gamma": ["borders"],
    "left ten two": ["borders"],
    '"alpha beta"': ["borders"],
    '"five six" "one two"': ["borders"],
    "left-right": [],
    '"left bbb right"': [],
    "bbb": [],
    "eqnone": [],
    "none": [],
}
TABLES = [WORDS, FOLDED, SCRIPTS, PHRASES, PREFIXES, EXCLUSIONS, ISBN, NOTHING, OPERATORS, BORDERS]
KINDS = [
    "words",
    "folded",
    "scripts",
    "phrases",
    "prefixes",
    "exclusions",
    "isbn",
    "nothing",
    "operators",
    "borders",
]


@pytest.mark.parametrize("table", TABLES, ids=KINDS)
def test_a_search_finds_books_that_match_all_terms(shelf, table):
    assert {q: sorted(found(shelf, q)) for q in table} == {
        q: sorted(names) for q, names in table.items()
    }


def lacking(*unwanted):
    """The names of the books that have none of these words, wherever they are searched."""
    return [
        name
        for name in NAMES
        if not set(unwanted) & set(words(json.dumps(SHELF[name], ensure_ascii=False)))
    ]


def test_a_search_of_exclusions_only_finds_all_other_books(shelf):
    without = {
        "-emma": lacking("emma"),
        "-austen -the": lacking("austen", "the"),
        "-nothinglikethis": NAMES,
        '-"jane austen"': [name for name in NAMES if name not in ("emma", "pride", "about")],
        "-emm*": lacking("emma"),
        "-日": NAMES,
        '-"no such" -emm*': lacking("emma"),
        '-"jane austen" -emm*': [name for name in lacking("emma") if name != "pride"],
        "-well-known -the": lacking("the"),
        "-猫である": [name for name in NAMES if name != "cat"],
    }
    assert {q: found(shelf, q) for q in without} == without


@pytest.mark.parametrize("q", ["-0141439580", "-978-0-14-143958-7", "-9780141439587"])
def test_an_isbn_can_be_excluded(shelf, q):
    assert found(shelf, q) == NAMES[1:]


@pytest.mark.parametrize("q", ["", " ", "\t\n", "\u3000"])
def test_an_empty_search_is_no_filter(shelf, q):
    assert found(shelf, q) == NAMES
    assert shelf.get("/books", query_string={"q": q, "sort": "relevance"}).status_code == 400


@pytest.mark.parametrize(
    "q", ['"0141439580"', '"978-0-14-143958-7"', "(0141439580)", "0-14-143958-0,"]
)
def test_an_isbn_is_found_with_surrounding_punctuation(shelf, q):
    assert found(shelf, q) == ["emma"]


def test_a_name_is_found_with_any_apostrophe_of_romanization(shelf):
    for q in ("qurʼan", "qurʾān", "quran", "hawaiʻi", "hawaiʼi"):
        assert found(shelf, q) == ["quran"], q


LONG = (
    "Достопримечательностями",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "ελληνικοτουρκικοσυριακολιβυκός",
    "a" * 200,
)


def test_long_words_with_a_common_prefix_are_distinguished(app, client):
    store(app, *[{"title": title} for title in LONG])
    for number, title in enumerate(LONG, 1):
        assert ids(client.get("/books", query_string={"q": title})) == [number], title
        assert ids(client.get("/books", query_string={"q": title[:-1]})) == [], title
        assert ids(client.get("/books", query_string={"q": title[:-1] + "ы"})) == [], title


def test_a_long_word_is_found_by_each_of_its_prefixes(app, client):
    store(app, *[{"title": title} for title in LONG])
    lost = [
        title[:size] + "*"
        for number, title in enumerate(LONG, 1)
        for size in range(1, len(title) + 1)
        if number not in ids(client.get("/books", query_string={"q": title[:size] + "*"}))
    ]
    assert lost == []


@pytest.mark.parametrize("name", ["json", "xml", "csv", "jsonl"])
def test_a_search_is_the_same_in_every_format(shelf, name):
    answer = shelf.get("/books", query_string={"q": "persuasion -hugo", "format": name})
    assert answer.status_code == 200
    assert (
        answer.get_data(as_text=True).count("Persuasion") == 1 and "Emma and others" in answer.text
    )


BAD = ["x" * 2001, "a " * 101, "a* b* c* d* e*", "\0", "a\x01", "\ufffe", "\uffff", "日" * 101]


def test_an_invalid_search_is_a_400_that_names_q(shelf):
    told = {q[:20]: shelf.get("/books", query_string={"q": q}) for q in BAD}
    assert {q: answer.status_code for q, answer in told.items() if answer.status_code != 400} == {}
    assert {error["parameter"] for answer in told.values() for error in answer.json["errors"]} == {
        "q"
    }
    assert shelf.get("/books?q=a&q=b").json["errors"] == [
        {"parameter": "q", "detail": "is given more than once"}
    ]


# -- order -----------------------------------------------------------------------------

RELEVANT = {
    # The title itself; in the title; in the authors or the series; anywhere. Among equals the older
    # book first.
    "emma": ["emma", "emma again", "mine", "emmas", "about", "series"],
    "Emma!": ["emma", "emma again", "mine", "emmas", "about", "series"],
    '"emma"': ["emma", "emma again", "mine", "emmas", "about", "series"],
    "emma -war": ["emma", "emma again", "mine", "about", "series"],
    "emma's war": ["emmas"],
    "em*": ["emma", "emmas", "emma again", "mine", "emile", "about", "series"],
    "jane": ["about", "emma", "pride", "series"],
    "emma jane": ["emma", "about", "series"],
    "jane emma": ["emma", "about", "series"],
    "the": ["operators", "stop", "quran", "about"],
}


def test_search_results_are_sorted_by_relevance_then_id(shelf):
    assert {q: found(shelf, q) for q in RELEVANT} == RELEVANT
    assert {q: found(shelf, q, sort="-relevance") for q in RELEVANT} == RELEVANT


SORTED = {
    "id": ["emma", "about", "series", "emmas", "emma again", "mine"],
    "-id": ["mine", "emma again", "emmas", "series", "about", "emma"],
    "title": ["emma", "mine", "emma again", "emmas", "about", "series"],
    "-title": ["series", "about", "emmas", "emma again", "emma", "mine"],
    "author": ["series", "emmas", "about", "emma again", "emma", "mine"],
    "published": ["emma", "emma again", "about", "emmas", "series", "mine"],
    "-published": ["emmas", "about", "emma again", "emma", "series", "mine"],
    "relevance": ["about", "series", "emmas", "emma", "emma again", "mine"],
    "relevance,-id": ["series", "about", "emmas", "mine", "emma again", "emma"],
    "-relevance,-id": ["mine", "emma again", "emma", "emmas", "series", "about"],
    "-relevance,-published": ["emma again", "emma", "mine", "emmas", "about", "series"],
    "title,-relevance": ["emma", "mine", "emma again", "emmas", "about", "series"],
    "author,-relevance": ["series", "emmas", "about", "emma again", "emma", "mine"],
    "-author,relevance,id": ["emma", "emma again", "about", "emmas", "series", "mine"],
}


def test_a_search_may_be_sorted_by_anything(shelf):
    assert {sort: found(shelf, "emma", sort=sort) for sort in SORTED} == SORTED


@pytest.mark.parametrize("sort", ["relevance", "-relevance", "relevance,-id", "-relevance,-id"])
def test_without_search_terms_all_books_are_equally_relevant(shelf, sort):
    assert found(shelf, "-emma", sort=sort) == lacking("emma")[:: -1 if sort.endswith("-id") else 1]
    assert found(shelf, "!", sort=sort) == []


@pytest.mark.parametrize(
    "sort", ["-relevance", "relevance", "title", "-published", "author,-relevance"]
)
@pytest.mark.parametrize("q", ["emma", "em*", "jane -hugo", "-emma"])
def test_pages_of_a_search_cover_all_results(shelf, q, sort):
    whole = ids(shelf.get("/books", query_string={"q": q, "sort": sort, "limit": 100}))
    pages = [
        shelf.get("/books", query_string={"q": q, "sort": sort, "limit": 2, "page": page})
        for page in range(1, len(whole) // 2 + 3)
    ]
    assert [number for answer in pages for number in ids(answer)] == whole
    assert {answer.json["total"] for answer in pages} == {len(whole)}


def test_exclusions_can_be_paged_in_every_sort(shelf):
    # More books have an author than a year: what is counted for one order must not be used for the
    # other.
    for sort in (
        "relevance,author",
        "relevance,published",
        "-relevance,-author",
        "relevance,-published",
    ):
        pages = [
            shelf.get("/books", query_string={"q": "-emma", "sort": sort, "limit": 7, "page": page})
            for page in range(1, 5)
        ]
        whole = ids(shelf.get("/books", query_string={"q": "-emma", "sort": sort, "limit": 100}))
        assert [number for answer in pages for number in ids(answer)] == whole, sort


# -- with the other parameters ---------------------------------------------------------

EVERY = ["emma", "emma again", "mine", "emmas", "about", "series"]
COMBINED = {
    "title=emma": ["emma", "mine"],
    "author=jane+austen": ["emma"],
    "author=emma+thompson": ["about"],
    "publisher=murray": ["series"],
    "publisher=MURRAY&publisher=john+murray": ["emma", "series"],
    "subject=fiction": ["emma"],
    "series=emma+and+others": ["series"],
    "isbn=0141439580": ["emma"],
    "isbn=9781402894626": [],
    "language=de": ["emma again"],
    "language=en": ["emma", "emmas", "about"],
    "language=en&language=de": ["emma", "emma again", "emmas", "about"],
    "identifier=lccn:cc": [],
    "published_from=1900": ["emma again", "emmas", "about"],
    "published_to=1900": ["emma"],
    "published_from=1815&published_to=1815": ["emma"],
    "updated_since=2000-01-01T00:00:00Z": EVERY,
    "updated_since=2999-01-01T00:00:00Z": [],
    "title=emma&language=en": ["emma"],
    "fields=title": EVERY,
}


def test_a_search_can_be_combined_with_every_filter(shelf):
    answers = {query: shelf.get(f"/books?q=emma&{query}") for query in COMBINED}
    assert {
        query: [NAMES[number - 1] for number in ids(answer)] for query, answer in answers.items()
    } == COMBINED
    assert {query: answer.json["total"] for query, answer in answers.items()} == {
        query: len(names) for query, names in COMBINED.items()
    }


@pytest.mark.parametrize(
    "query",
    [
        "title=emma",
        "author=jane+austen",
        "publisher=egerton",
        "subject=fiction",
        "series=emma+and+others",
        "isbn=0141439580",
        "language=en",
        "identifier=lccn:cc",
        "published_from=1813",
        "published_to=1815",
        "updated_since=2000-01-01T00:00:00Z",
    ],
)
def test_exclusions_can_be_combined_with_every_filter(shelf, query):
    kept = [
        number
        for number in ids(shelf.get(f"/books?limit=100&{query}"))
        if NAMES[number - 1] not in EVERY
    ]
    assert ids(shelf.get(f"/books?limit=100&q=-emma&{query}")) == kept
    assert ids(shelf.get(f"/books?limit=100&q=!&{query}")) == []


def test_an_export_searches_as_the_list_does(shelf):
    for query in (
        "q=emma",
        "q=emma&sort=-title",
        "q=-emma&sort=published",
        "q=jane&author=jane+austen",
        "q=!",
    ):
        assert ids(shelf.get(f"/books/export?{query}")) == ids(
            shelf.get(f"/books?limit=100&{query}")
        ), query


def test_the_export_command_supports_searches(shelf, runner):
    result = runner.invoke(
        args=["books", "export", "-", "--filter", "q=emma -war", "--filter", "sort=id"]
    )
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [
        NAMES.index(name) + 1 for name in sorted(RELEVANT["emma -war"], key=NAMES.index)
    ]


# -- the index follows the books -------------------------------------------------------


def searched(client, *queries):
    return [ids(client.get("/books", query_string={"q": q})) for q in queries]


CHANGES = {
    "patch": lambda client: client.patch("/books/1", json={"title": "New name", "authors": []}),
    "put": lambda client: client.put("/books/1", json={"title": "New name"}),
    "put by isbn": lambda client: client.put(
        "/books/isbn/9780141439587", json={"title": "New name"}
    ),
    "delete": lambda client: client.delete("/books/1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_searchable_at_once(admin, change):
    admin.post(
        "/books", json={"title": "Old title", "authors": ["Old author"], "isbn": "9780141439587"}
    )
    assert searched(admin, "old", "author", "new", "-old", "0141439580") == [[1], [1], [], [], [1]]
    assert CHANGES[change](admin).status_code in (200, 204)
    gone, has_isbn = change == "delete", change in ("patch", "put by isbn")
    assert searched(admin, "old", "author", "new", "-old", "0141439580") == [
        [],
        [],
        [] if gone else [1],
        [] if gone else [1],
        [1] if has_isbn else [],
    ]


@pytest.mark.parametrize(
    "field, before, after",
    [
        ("title", "oldword", "newword"),
        ("subtitle", "oldword", "newword"),
        ("series", "oldword", "newword"),
        ("authors", ["oldword", "x"], ["x", "newword"]),
        ("subjects", ["oldword"], ["newword"]),
        ("publisher", "oldword", "newword"),
        ("description", "oldword", "newword"),
        ("isbn", "9780141439587", "9780306406157"),
        (
            "identifiers",
            [{"scheme": "isbn", "value": "9780141439587"}],
            [{"scheme": "isbn", "value": "9780306406157"}],
        ),
    ],
)
def test_changes_of_every_searched_field_are_searchable(admin, field, before, after):
    old, new = ("9780141439587", "9780306406157") if field[0] == "i" else ("oldword", "newword")
    admin.post("/books", json={"title": "a", field: before})
    assert searched(admin, old, new) == [[1], []]
    admin.patch("/books/1", json={field: after})
    assert searched(admin, old, new) == [[], [1]]
    admin.patch("/books/1", json={"title": "b"} if field == "title" else {field: None})
    assert searched(admin, old, new, f"-{new} -{old}") == [[], [], [1]]


def test_imported_books_are_searchable(admin, runner):
    def imported(*records):
        result = runner.invoke(
            args=["books", "import", "-", "--format", "jsonl"], input=jsonl_bytes(*records)
        )
        assert result.exit_code == 0, result.output

    imported(
        {"title": "first", "isbn": "9780141439587", "authors": ["someone"]}, {"title": "second"}
    )
    assert searched(admin, "first", "second", "someone") == [[1], [2], [1]]
    imported(
        {"title": "third", "isbn": "9780141439587"}, {"title": "fourth", "description": "first"}
    )
    assert searched(admin, "first", "third", "someone", "fourth") == [[3], [1], [1], [3]]


def test_a_rejected_change_leaves_the_index_unchanged(admin):
    admin.post("/books", json={"title": "first", "isbn": "9780141439587"})
    admin.post("/books", json={"title": "second"})
    assert (
        admin.patch("/books/2", json={"title": "third", "isbn": "9780141439587"}).status_code == 409
    )
    assert (
        admin.post("/books", json={"title": "fourth", "isbn": "9780141439587"}).status_code == 409
    )
    assert searched(admin, "second", "third", "fourth") == [[2], [], []]


def test_the_index_is_consistent_after_every_kind_of_change(shelf, app, runner):
    shelf.patch("/books/1", json={"title": "Other", "description": "d"})
    shelf.patch("/books/2", json={"pages": 5})
    shelf.put("/books/3", json={"title": "Other"})
    shelf.delete("/books/4")
    runner.invoke(
        args=["books", "import", "-", "--format", "jsonl"],
        input=jsonl_bytes({"title": "a"}, SHELF["emma"]),
    )
    with app.app_context(), db.engine.begin() as connection:
        indexed = connection.execute(sql("SELECT count(*) FROM book_words")).scalar()
        assert (
            indexed
            == connection.execute(sql("SELECT count(*) FROM books")).scalar()
            == len(SHELF) + 2
        )
        if db.engine.dialect.name == "sqlite":  # fails where the index and what it is of differ
            connection.execute(
                sql(
                    "INSERT INTO book_words_index (book_words_index, rank) "
                    "VALUES ('integrity-check', 1)"
                )
            )


# -- attacks ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def naughty():
    return hostile_strings()


FILTERED = ("title", "author", "publisher", "subject", "series")
OTHERS = (
    "isbn",
    "language",
    "published_from",
    "published_to",
    "updated_since",
    "sort",
    "limit",
    "page",
    "cursor",
    "fields",
    "facets",
    "state",
)


def test_no_naughty_string_breaks_a_search(shelf, naughty):
    told = {text: shelf.get("/books", query_string={"q": text}) for text in naughty}
    assert {
        text: answer.status_code
        for text, answer in told.items()
        if answer.status_code not in (200, 400)
    } == {}
    assert {
        error["parameter"] for answer in told.values() for error in answer.json.get("errors", [])
    } <= {"q"}


@pytest.mark.slow
def test_no_naughty_string_breaks_a_filter(shelf, naughty):
    for text in naughty:
        equal = shelf.get("/books", query_string=dict.fromkeys(FILTERED, text))
        assert equal.status_code in (200, 400), text
        others = shelf.get(
            "/books", query_string={**dict.fromkeys(OTHERS, text), "identifier": f"lccn:{text}"}
        )
        assert others.status_code in (200, 400, 401, 403), text
        assert {error["parameter"] for error in others.json.get("errors", [])} <= {
            *OTHERS,
            "identifier",
        }


def test_a_stored_book_is_found_by_its_own_text(app, client, naughty):
    stored = [text for text in naughty if words(text) and "\0" not in text and text.isprintable()]
    store(app, *[{"title": text} for text in stored])
    lost = []
    for number, text in enumerate(stored, 1):
        quoted = '"' + text.replace('"', " ") + '"'
        answer = client.get("/books", query_string={"q": quoted, "limit": 100})
        if answer.status_code == 200 and number not in ids(answer):
            lost.append(text)
    assert lost == []


def test_a_real_title_is_found_by_itself(app, client):
    titles = list(filter(None, map(clean, real_titles())))
    titles = [
        title for title in titles if not re.search(r"(?<!\S)-\w", title)
    ]  # which searches without that word
    store(app, *[{"title": title} for title in titles])
    lost = {}
    for number, title in enumerate(titles, 1):
        answer = client.get("/books", query_string={"q": title, "limit": 100})
        too_long = len(words(title)) > 100
        if answer.status_code != (400 if too_long else 200) or (
            not too_long and words(title) and number not in ids(answer)
        ):
            lost[title] = answer.status_code
    assert lost == {}


# -- the same as an oracle -------------------------------------------------------------

PIECES = [
    "a",
    "ab",
    "abc",
    "b",
    "The",
    "é",
    "É",
    "e",
    "zoo",
    "zz",
    "z",
    "ß",
    "SS",
    "日",
    "本",
    "日本",
    "한",
    "и",
    "Ий",
    "12",
    "1",
    "of",
    "ﬁ",
    "fi",
    "ø",
]
some_texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).flatmap(
    lambda pieces: st.sampled_from([" ", "-", ", ", "'", "\n"]).map(
        lambda between: between.join(pieces)
    )
)
or_none = st.none() | some_texts
some_books = st.lists(
    st.fixed_dictionaries(
        {
            "title": some_texts,
            "subtitle": or_none,
            "authors": st.lists(some_texts, max_size=2),
            "series": or_none,
            "publisher": or_none,
            "subjects": st.lists(some_texts, max_size=2),
            "description": or_none,
        }
    ),
    min_size=1,
    max_size=5,
)
# (how it is written, what of it must be where)
terms = st.one_of(
    st.sampled_from(PIECES).map(lambda word: (word, words(word), False)),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(
        lambda some: (f'"{" ".join(some)}"', words(" ".join(some)), False)
    ),
    st.sampled_from(
        [piece for piece in PIECES if piece.isascii() or piece.casefold() in "éиийß"]
    ).map(lambda word: (f"{word}*", words(word), True)),
)
some_queries = st.lists(st.tuples(terms, st.booleans()), min_size=1, max_size=4)


def has(text, wanted, is_prefix):
    """Whether a text has these words, one behind the other; or a word with this beginning."""
    own = words(text)
    if is_prefix:
        return any(word.startswith(wanted[0]) for word in own)
    return any(own[at : at + len(wanted)] == wanted for at in range(len(own)))


def relevance(book, query):
    """By docs/api.md, Search: -1 not found, 0 anywhere, 1 in the heading, 2 in the title, 3 the
    title itself.
    """
    title = [book["title"], book["subtitle"] or ""]
    heading = [*title, *book["authors"], book["series"] or ""]
    anywhere = [*heading, book["publisher"] or "", *book["subjects"], book["description"] or ""]
    demanded = [term[1:] for term, excluded in query if not excluded]
    if any(has(text, *term[1:]) for term, excluded in query if excluded for text in anywhere):
        return -1
    levels = [
        all(any(has(text, *term) for text in texts) for term in demanded)
        for texts in (anywhere, heading, title)
    ]
    whole = [word for wanted, _ in demanded for word in wanted]
    is_title = (
        bool(demanded)
        and not any(is_prefix for _, is_prefix in demanded)
        and whole == words(book["title"])
    )
    return 3 if is_title else levels.count(True) - 1 if demanded else 0


def empty(session):
    """Remove every book. What is remembered of them is of another state as soon as books are stored
    again.
    """
    for table in (BookWords, BookAuthor, BookSubject, BookIdentifier, Book):
        session.execute(table.__table__.delete())
    session.execute(Catalogue.__table__.update().values(total=0, last_id=0))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(some_books, st.lists(some_queries, min_size=1, max_size=6))
def test_a_search_agrees_with_a_scan_of_the_books(app, books, queries):
    with app.app_context():
        db.write(empty)
    store(app, *books)
    client = app.test_client()
    for query in queries:
        q = " ".join("-" * excluded + term[0] for term, excluded in query)
        ranked = [(-relevance(book, query), number) for number, book in enumerate(books, 1)]
        wanted = [number for rank, number in sorted(ranked) if rank <= 0]
        assert ids(client.get("/books", query_string={"q": q, "limit": 100})) == wanted, q
        assert ids(client.get("/books", query_string={"q": q, "sort": "id"})) == sorted(wanted), q
