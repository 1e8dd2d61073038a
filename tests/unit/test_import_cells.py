"""What cells of other people's files mean."""

import time

import pytest

from bookapi.books.imports import cells

DATES = {
    "2003-04-29": ("2003-04-29", None),
    "April 29, 2003": ("2003-04-29", None),
    "29 Apr. 2003": ("2003-04-29", None),
    "May 1999": ("1999-05", None),
    "2003/04/29": ("2003-04-29", None),
    "29.04.2003": ("2003-04-29", None),
    "29/04/2003": ("2003-04-29", None),
    "01/02/1862": ("1862", "date-ambiguous"),
    "20030429": ("2003-04-29", None),
    "06/1862": ("1862-06", None),
    "2003-00-00": ("2003", None),
    "2003-04-00": ("2003-04", None),
    "2001-02-29": ("2001", "date-impossible"),
    "[1862?]": ("1862", "date-uncertain"),
    "c2003": ("2003", None),
    "2003, c2001": ("2003", None),
    "1999.0": ("1999", None),
    "-720.0": ("-0720", None),
    "700 BC": ("-0699", None),
    "1815-12-23T01:00:00+01:00": ("1815-12-23", None),
    "0101-01-01T00:00:00+00:00": (None, None),
    "n.d.": (None, "date-unreadable"),
    "1850-1860": (None, "date-unreadable"),
    "18th century": (None, "date-unreadable"),
    "Jan-00": (None, "date-unreadable"),
    "99": (None, "date-unreadable"),
}
LANGUAGES = {
    "eng": ("en", None),
    "EN_us": ("en-US", None),
    "English": ("en", None),
    "Deutsch": ("de", None),
    "ESPANOL": ("es", None),
    "Norsk bokmal": ("nb", None),
    "English (US)": ("en-US", None),
    "Portuguese (Brazil)": ("pt-BR", None),
    "Greek, Ancient": ("grc", None),
    "Chinese (Simplified)": ("zh-Hans", None),
    "English, French": ("en", "language-several"),
    "中文": ("zh", None),
    "E": (None, "language-unreadable"),
    "Frensh": (None, "language-unreadable"),
    "\0\1Deutsch": (None, "language-unreadable"),
    "a\0b": (None, "language-unreadable"),
    "Germa\0": (None, "language-unreadable"),
    "klingonish": (None, "language-unreadable"),
    "English books": (None, "language-unreadable"),
    "English (Hogwarts)": (None, "language-unreadable"),
    "English, Brazil": (None, "language-unreadable"),
    "Unknown language": (None, "language-unreadable"),
    "eng, deu": ("en", "language-several"),
    "und": (None, "language-unreadable"),
    "N/A": (None, "language-unreadable"),
}
PAGES = {
    "474 p.": (474, None),
    "xii; 362": (362, None),
    "xxxiii, 474 p. ;": (474, None),
    "1,024": (1024, None),
    "474,0": (474, None),
    "0": (None, "pages-unknown"),
    "1-300": (None, "pages-unreadable"),
    "٤٧٤": (None, "pages-unreadable"),
}
ISBNS = {
    "ISBN-13: 978-0-14-143958-7": (("9780141439587",), None),
    "urn:isbn:9780141439587": (("9780141439587",), None),
    '="0141439580"': (("9780141439587",), None),
    '=""': ((), None),
    "[0141439580]": (("9780141439587",), None),
    "[]": ((), None),
    "141439580": (("9780141439587",), None),
    "\u200e9780141439587\n": (("9780141439587",), None),
    "9780141439587, 0306406152": (("9780141439587", "9780306406157"), None),
    "8473966112 (Tomo II) 8473966104 (todo)": (("9788473966115", "9788473966108"), None),
    "9.78014E+12": ((), "isbn-as-number"),
    "9780141439588": ((), "isbn-invalid"),
    "none": ((), "isbn-invalid"),
}
TABLE = [
    (read, text, expected)
    for read, cases in (
        (cells.read_date, DATES),
        (cells.read_language, LANGUAGES),
        (cells.read_pages, PAGES),
        (cells.read_isbns, ISBNS),
    )
    for text, expected in cases.items()
]


@pytest.mark.parametrize(("read", "text", "expected"), TABLE)
def test_a_cell_means_what_it_says_or_nothing(read, text, expected):
    value, issue = read(text)
    assert (value, issue and issue.kind) == expected


def test_markup_becomes_text():
    assert cells.without_html("<div><p>A &amp; <b>B</b>.</p><p>C<br/>D</p></div>") == "A & B.\nC\nD"


@pytest.mark.parametrize("text", ["a\x00b", "a" + "\u0301" * 101])
def test_a_text_that_cannot_be_stored_is_left_out(text):
    assert cells.read_text(text, 500) == (None, cells.TEXT_INVALID)


def test_a_long_cell_is_no_name_of_a_language_at_once():
    begun = time.monotonic()
    assert cells.read_language("ab (" + " " * 20_000 + ",") == (None, cells.LANGUAGE_UNREADABLE)
    assert time.monotonic() - begun < 2
