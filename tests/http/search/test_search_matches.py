"""Which books a search finds. docs/api.md, Search."""

import pytest

from helpers.documents import ids
from helpers.searches import NAMES, found, lacking
from helpers.support import store

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
def test_a_search_finds_books_that_match_all_terms(editor, table):
    assert {q: sorted(found(editor, q)) for q in table} == {
        q: sorted(names) for q, names in table.items()
    }


def test_a_search_of_exclusions_only_finds_all_other_books(editor):
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
    assert {q: found(editor, q) for q in without} == without


@pytest.mark.parametrize("q", ["-0141439580", "-978-0-14-143958-7", "-9780141439587"])
def test_an_isbn_can_be_excluded(editor, q):
    assert found(editor, q) == NAMES[1:]


@pytest.mark.parametrize("q", ["", " ", "\t\n", "\u3000"])
def test_an_empty_search_is_no_filter(editor, q):
    assert found(editor, q) == NAMES
    assert editor.get("/books", query_string={"q": q, "sort": "relevance"}).status_code == 400


@pytest.mark.parametrize(
    "q", ['"0141439580"', '"978-0-14-143958-7"', "(0141439580)", "0-14-143958-0,"]
)
def test_an_isbn_is_found_with_surrounding_punctuation(editor, q):
    assert found(editor, q) == ["emma"]


def test_a_name_is_found_with_any_apostrophe_of_romanization(editor):
    for q in ("qurʼan", "qurʾān", "quran", "hawaiʻi", "hawaiʼi"):
        assert found(editor, q) == ["quran"], q


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
def test_a_search_is_the_same_in_every_format(editor, name):
    answer = editor.get("/books", query_string={"q": "persuasion -hugo", "format": name})
    assert answer.status_code == 200
    assert (
        answer.get_data(as_text=True).count("Persuasion") == 1 and "Emma and others" in answer.text
    )


BAD = ["x" * 2001, "a " * 101, "a* b* c* d* e*", "\0", "a\x01", "\ufffe", "\uffff", "日" * 101]
BAD += ["a\x7fb", "a\x85b"]


def test_an_invalid_search_is_a_400_that_names_q(editor):
    answers = {q[:20]: editor.get("/books", query_string={"q": q}) for q in BAD}
    assert {
        q: answer.status_code for q, answer in answers.items() if answer.status_code != 400
    } == {}
    assert {
        error["parameter"] for answer in answers.values() for error in answer.json["errors"]
    } == {"q"}
    assert editor.get("/books?q=a&q=b").json["errors"] == [
        {"parameter": "q", "detail": "is given more than once"}
    ]
