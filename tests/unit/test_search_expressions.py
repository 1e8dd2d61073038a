"""What cannot be searched, tokens, and full-text expressions. docs/api.md, Search."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bookapi.books.search import LONGEST, MAX_WORDS, parse, text_of
from bookapi.db.search import (
    ANYWHERE,
    HEADING,
    LEVELS,
    MAX_TOKEN,
    TITLE,
    Fts5,
    InnoDbFullText,
    Match,
    Term,
    encoded,
    expressions,
    index_text,
)
from bookapi.db.sqlite import sqlite3
from bookapi.text import words
from helpers.inventions import books, bounded, texts

# -- what is refused ---------------------------------------------------------------------


def _many(words, number):
    return " ".join(f"{words}{at}" for at in range(number))


@pytest.mark.parametrize(
    "query",
    [
        "x" * LONGEST,
        "é" * LONGEST,
        " " * 5000 + "x",
        "x " * MAX_WORDS,
        _many("w", MAX_WORDS),
        _many("-w", MAX_WORDS),
        '"' + "x " * MAX_WORDS + '"',
        "日" * MAX_WORDS,
        "a* b* c* d*",
        "-a* -b* c* d*",
        '"' * LONGEST,
        "-" * LONGEST,
        "*" * LONGEST,
        "- " * 900,
    ],
)
def test_a_search_at_the_limits_is_accepted(query):
    match = parse(query)
    assert sum(len(term.words) for term in match.terms + match.without) <= MAX_WORDS


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("x" * (LONGEST + 1), "2000 characters"),
        ("x " * 999, "100 words"),
        (_many("w", MAX_WORDS + 1), "100 words"),
        (_many("-w", MAX_WORDS + 1), "100 words"),
        (_many("w", 60) + ' "' + _many("v", 41) + '"', "100 words"),
        ("-".join("a" * 101), "100 words"),
        ("日" * 101, "100 words"),
        ("a* b* c* d* e*", "4 words that end in *"),
        ("a* b* c* -d* -e*", "4 words that end in *"),
        ('"a b" ' * 10 + '-"a b" ' * 11, "20 phrases"),
        ("a\0b", "U\\+0000"),
        ("\ud800", "U\\+D800"),
        ("\ufffe", "U\\+FFFE"),
    ],
)
def test_searches_beyond_the_limits_are_rejected(query, named):
    with pytest.raises(ValueError, match=named):
        parse(query)


searchable = texts.filter(lambda text: not re.search("[\x7f-\x9f]", text))
queries = st.one_of(
    searchable,
    st.lists(
        st.one_of(
            searchable,
            st.sampled_from(
                [
                    '"',
                    "-",
                    "*",
                    " ",
                    '-"',
                    "“",
                    "AND",
                    "NEAR",
                    "title:",
                    "9780141439587",
                    "日本",
                    "zz",
                    "é*",
                    "-a*",
                ]
            ),
        ),
        max_size=12,
    ).map("".join),
)


@bounded
@given(queries)
def test_any_text_parses_into_searchable_words(query):
    match = parse(query) or Match(())
    assert all(
        term.words and words(" ".join(term.words)) == list(term.words)
        for term in match.terms + match.without
    )
    assert all(len(term.words) == 1 for term in match.terms + match.without if term.prefix)


# -- tokens ------------------------------------------------------------------------------

some_words = st.text(st.sampled_from("axz09béиあ語한\u0e01\U00020000"), min_size=1, max_size=30)


def token(word):
    """What the index holds for a word, without its tag."""
    return index_text([], {TITLE: [], HEADING: [], ANYWHERE: [encoded([word])]}).split()[-1][2:]


def beginning(word):
    """What a search for all words that begin so asks the index for, without its tag."""
    return re.fullmatch(
        r"\+aq([a-z0-9]+)\*", expressions(InnoDbFullText, Match((Term((word,), prefix=True),)))["q"]
    )[1]


@bounded
@given(some_words, some_words)
def test_tokens_are_equal_if_words_are_equal(one, other):
    assert (token(one) == token(other)) == (one == other)
    assert len(token(one + other)) <= MAX_TOKEN


@bounded
@given(some_words)
def test_a_word_matches_each_of_its_prefixes(word):
    assert [
        word[:size]
        for size in range(1, len(word) + 1)
        if not token(word).startswith(beginning(word[:size]))
    ] == []


@bounded
@given(some_words, some_words)
def test_a_word_does_not_match_other_prefixes(one, other):
    assume(
        len(token(one)) < MAX_TOKEN - 20
    )  # of what is longer a beginning is all that is asked for
    assert token(other).startswith(beginning(one)) == other.startswith(one)


def test_long_words_with_a_common_prefix_are_distinguished_in_any_script():
    # Twenty letters are nothing unusual in Russian, German or Finnish.
    for one, other in (
        ("достопримечательность", "достопримечательный"),
        ("ελληνικοτουρκικος", "ελληνικοτουρκικη"),
        ("x" * 79 + "y", "x" * 79 + "w"),
        ("a" * 200, "a" * 201),
    ):
        assert token(one) != token(other)


@bounded
@given(books(st.one_of(searchable, queries.filter(bool))))
def test_every_engine_takes_a_token_for_one_word(book):
    kept = {**book, "title": book["title"] + " é語 " + "z" * 300}
    for in_trash in (False, True):
        tokens = text_of(kept, in_trash).split(" ")
        assert [made for made in tokens if not re.fullmatch("[a-z0-9]{3,84}", made)] == []


# The default stop words of InnoDB (MySQL manual, 14.9.4), which its index leaves out.
STOP_WORDS = [
    "a",
    "about",
    "an",
    "are",
    "as",
    "at",
    "be",
    "by",
    "com",
    "de",
    "en",
    "for",
    "from",
    "how",
    "i",
    "in",
    "is",
    "it",
    "la",
    "of",
    "on",
    "or",
    "that",
    "the",
    "this",
    "to",
    "was",
    "what",
    "when",
    "where",
    "who",
    "will",
    "with",
    "und",
    "www",
]


def test_no_token_is_a_stop_word_or_dropped():
    book = {
        "title": " ".join(STOP_WORDS),
        "subtitle": None,
        "authors": STOP_WORDS,
        "series": None,
        "publisher": None,
        "subjects": [],
        "description": None,
        "isbn": None,
        "identifiers": [],
    }
    tokens = text_of(book).split()
    assert set(tokens) & set(STOP_WORDS) == set()
    assert {made[2:] for made in tokens if made.startswith("aq")} == set(STOP_WORDS)


def test_the_trash_and_the_levels_have_tokens_of_their_own():
    texts_of_levels = {level: [encoded(["w"])] for level in (TITLE, HEADING, ANYWHERE)}
    live, trash = (
        set(index_text(["w"], texts_of_levels, in_trash).split()) - {"bbb"}
        for in_trash in (False, True)
    )
    assert live & trash == set()
    assert {made[0] for made in live} == {made[0] for made in trash} == set(LEVELS)


# -- expressions -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def index():
    """An index of FTS5, as the migration makes it, with a few books in it."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE found USING fts5 (words, tokenize = 'ascii', columnsize = 0)"
    )
    for text in ("a b", "b a", "é zz", "日本"):
        connection.execute(
            "INSERT INTO found VALUES (?)",
            [index_text(words(text), {TITLE: [encoded(words(text))], HEADING: [], ANYWHERE: []})],
        )
    yield lambda value: connection.execute(
        "SELECT rowid FROM found WHERE found MATCH ?", [value]
    ).fetchall()
    connection.close()


@bounded
@given(queries)
def test_fts5_accepts_every_expression(index, query):
    match = parse(query)
    assume(match and (match.terms or match.without))
    for in_trash in (False, True):
        assert all(
            isinstance(index(value), list) for value in expressions(Fts5, match, in_trash).values()
        )


@pytest.mark.parametrize(
    "query",
    [
        _many("w", MAX_WORDS),
        _many("-w", MAX_WORDS),
        _many("w", 50) + " " + _many("-v", 50),
        '"' + _many("w", MAX_WORDS) + '"',
        "日" * MAX_WORDS,
        _many("w", 96) + " a* b* c* d*",
        "z" * LONGEST,
        "я" * (LONGEST - 1) + "*",
        '-"' + _many("w", 99) + '" a',
    ],
)
def test_fts5_accepts_the_largest_expressions(index, query):
    assert all(
        index(value) == [] or query.startswith("-")
        for value in expressions(Fts5, parse(query)).values()
    )


@bounded
@given(queries)
def test_a_mysql_expression_contains_no_operator_of_the_user(query):
    match = parse(query)
    assume(match and (match.terms or match.without))
    for value in expressions(InnoDbFullText, match).values():
        assert re.fullmatch(r'[+(\- "a-z0-9*)]*', value)
        assert (
            re.sub(
                r'-\((?:"[a-z0-9 ]+"|[a-z0-9]+\*?| )+\)|\+?(?:"[a-z0-9 ]+"|[a-z0-9]+\*?)| ',
                "",
                value,
            )
            == ""
        )


def test_a_search_of_exclusions_only_is_expressed_as_not_containing():
    for dialect in (Fts5, InnoDbFullText):
        assert set(expressions(dialect, Match((), (Term(("a",)),)))) == {"q_without"}
        assert set(expressions(dialect, Match((Term(("a",)),)))) == {
            "q",
            "q_less",
            *[f"q_{level}" for level in LEVELS],
        }
