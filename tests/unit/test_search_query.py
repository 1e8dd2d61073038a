"""Parsing of searches. docs/api.md, Search."""

import pytest

from bookapi.books.search import parse


def said(query):
    """What a query was taken for: words as they are, phrases with spaces, `*` behind a beginning,
    `-` before what must not occur; None for no search at all.
    """
    match = parse(query)
    return match and [
        f"{sign}{' '.join(term.words)}{'*' * term.prefix}"
        for sign, terms in (("", match.terms), ("-", match.without))
        for term in terms
    ]


WORDS = {
    "emma": ["emma"],
    " Jane  AUSTEN\n": ["jane", "austen"],
    "Émile": ["emile"],
    "emma emma EMMA": ["emma"],
    "don't": ["don t"],
    "well-known": ["well known"],
    "a.b/c": ["a b c"],
    "C++": ["c"],
    "1984": ["1984"],
    "日本": ["日 本"],
    "日本 東京": ["日 本", "東 京"],
    "ภาษา": ["ภ า ษ า"],
    "한국 문학": ["한 국", "문 학"],
    "война": ["воина"],
    "": None,
    " ": None,
    "\t\r\n": None,
    "\u3000": None,
    "!": [],
    "…—?": [],
    "📚": [],
    "%": [],
    "_": [],
    "\u0301": [],
}
PHRASES = {
    '"two words"': ["two words"],
    "“two words”": ["two words"],
    "„two words“": ["two words"],
    "«two words»": ["two words"],
    "»two words«": ["two words"],
    "＂two words＂": ["two words"],
    "〝two words〞": ["two words"],
    '“two words"': ["two words"],
    '"one"': ["one"],
    '" two  words "': ["two words"],
    '"two, (words)!"': ["two words"],
    'a "b c" d': ["a", "b c", "d"],
    'a"b c"d': ["a", "b c", "d"],
    '"a b""c d"': ["a b", "c d"],
    '"two words': ["two words"],
    'a "b c': ["a", "b c"],
    'a "b c" "': ["a", "b c"],
    'a" b c': ["a", "b c"],
    '"': [],
    '""': [],
    '" "': [],
    '"""': [],
    '"!"': [],
    '"日本 東"': ["日 本 東"],
    '"wor* ld"': ["wor ld"],
    '"wor"*': ["wor"],
    '"wor*"': ["wor"],
    '"a -b"': ["a b"],
    "'two words'": ["two", "words"],
}
PREFIXES = {
    "wor*": ["wor*"],
    "w*": ["w*"],
    "WÖR*": ["wor*"],
    "wor**": ["wor*"],
    "*": [],
    "**": [],
    "* *": [],
    "*wor": ["wor"],
    "w*r": ["w r"],
    "a* b*": ["a*", "b*"],
    "well-kno*": ["well", "kno*"],
    "вой*": ["вои*"],
    "日*": ["日"],
    "日本*": ["日 本"],
    "한국*": ["한 국"],
    "ภา*": ["ภ า"],
    "wor *": ["wor"],
    "wor*s": ["wor s"],
    "97801*": ["97801*"],
}
EXCLUSIONS = {
    "-bad": ["-bad"],
    "good -bad": ["good", "-bad"],
    "-bad good": ["good", "-bad"],
    '-"two words"': ["-two words"],
    "-“two words”": ["-two words"],
    '-"two words': ["-two words"],
    "-wor*": ["-wor*"],
    "-well-known": ["-well known"],
    "- bad": ["bad"],
    "a - b": ["a", "b"],
    "-": [],
    "--": [],
    "- -": [],
    "-*": [],
    '-"': [],
    '-""': [],
    "-!": [],
    "a-": ["a"],
    'a-"b c"': ["a", "b c"],
    "bad-": ["bad"],
    "–bad": ["bad"],
    "\u2212bad": ["bad"],
    "-a -a -b": ["-a", "-b"],
    "a -a": ["a", "-a"],
    "-日本": ["-日 本"],
}
OPERATORS = {
    "AND OR NOT NEAR": ["and", "or", "not", "near"],
    "a AND b": ["a", "and", "b"],
    "NEAR(a b, 5)": ["near a", "b", "5"],
    "title:emma": ["title emma"],
    "words:emma": ["words emma"],
    "^emma": ["emma"],
    "{a b} : c": ["a", "b", "c"],
    "-{a}:b": ["-a b"],
    "+a +b": ["a", "b"],
    "~a": ["a"],
    '"a b" @8': ["a b", "8"],
    "@distance": ["distance"],
    "<a >b": ["a", "b"],
    "(a OR b)": ["a", "or", "b"],
    "+(a -b)": ["a", "-b"],
    "a || b && !c": ["a", "b", "c"],
    "a*b c*": ["a b", "c*"],
    "[1 TO 2]": ["1", "to", "2"],
    "a\\b": ["a b"],
    "'; DROP TABLE books; --": ["drop", "table", "books"],
    "a;b": ["a b"],
    "%a_b%": ["a b"],
}


@pytest.mark.parametrize(
    "table",
    [WORDS, PHRASES, PREFIXES, EXCLUSIONS, OPERATORS],
    ids=["words", "phrases", "prefixes", "exclusions", "operators"],
)
def test_queries_are_parsed_as_documented(table):
    assert {query: said(query) for query in table} == table


DASHES = {
    "--good": ["good"],
    '--"two words"': ["two words"],
    "a --b": ["a", "b"],
    "a--b": ["a b"],
    "---a": ["a"],
    '"two words"--good': ["two words", "good"],
    '"two words"-good': ["two words", "good"],
}


def test_a_minus_excludes_only_at_the_beginning_of_a_word():
    # Catalogues write titles so: `--aus Vorsatz und durch Zufall--`, `"…"--Vol. 1`.
    assert {query: said(query) for query in DASHES} == DASHES


ISBN = {
    "9780141439587": ["9780141439587"],
    "0141439580": ["9780141439587"],
    "0-14-143958-0": ["9780141439587"],
    "0 14 143958 0": ["9780141439587"],
    "978-0-14-143958-7": ["9780141439587"],
    "978–0–14–143958–7": ["9780141439587"],
    " 978 0 14 143958 7 ": ["9780141439587"],
    "080442957x": ["9780804429573"],
    "0-8044-2957-X": ["9780804429573"],
    "9791034304776": ["9791034304776"],
    "emma 0-14-143958-0": ["emma", "9780141439587"],
    "0141439580 9780804429573": ["9780141439587", "9780804429573"],
    # What is no ISBN is read as any other word.
    "9780141439588": ["9780141439588"],
    "978-0-14-143958-8": ["978 0 14 143958 8"],
    "1234567890": ["1234567890"],
    "٩٧٨٠١٤١٤٣٩٥٨٧": ["٩٧٨٠١٤١٤٣٩٥٨٧"],
    "97801414395870": ["97801414395870"],
}
NO_ISBN_WANTED = {
    "emma -0141439580": ["emma", "-9780141439587"],
    "emma -978-0-14-143958-7": ["emma", "-9780141439587"],
    "-9780141439587": ["-9780141439587"],
    "-0141439580": ["-9780141439587"],
    "-0-14-143958-0": ["-9780141439587"],
}


@pytest.mark.parametrize("table", [ISBN, NO_ISBN_WANTED], ids=["wanted", "not wanted"])
def test_an_isbn_is_one_word_in_any_spelling(table):
    assert {query: said(query) for query in table} == table


@pytest.mark.parametrize(
    "query", ['"9780141439587"', '"0141439580"', '"0-14-143958-0"', "“978-0-14-143958-7”"]
)
def test_an_isbn_in_quotes_is_an_isbn(query):
    assert said(query) == ["9780141439587"]


@pytest.mark.parametrize(
    ("query", "whole"),
    [
        ("Pride and Prejudice", ("pride", "and", "prejudice")),
        ('pride "and prejudice"', ("pride", "and", "prejudice")),
        ("pride pride", ("pride", "pride")),
        ("pride -bad", ("pride",)),
        ("pri* and", ()),
        ("-bad", ()),
        ("!", ()),
    ],
)
def test_a_query_may_be_a_whole_title(query, whole):
    assert parse(query).whole == whole
