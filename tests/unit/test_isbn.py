"""ISBNs in every spelling give 13 digits."""

import csv
import io
import json
import re

import pytest
from hypothesis import given

from bookapi.books.fields import isbn
from helpers.data import open_catalogue, read_text
from helpers.inventions import bounded, isbns


def _isbn10(digits):
    nine = digits[3:12]
    check = -sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11
    return nine + "0123456789X"[check]


def _verdict(text):
    try:
        return isbn.parse(text)
    except ValueError:
        return ""


@pytest.mark.parametrize(
    "text",
    [
        "9780306406157",
        "0306406152",
        "978-0-306-40615-7",
        "0-306-40615-2",
        "978 0 306 40615 7",
        " 0306406152\t",
        "978\u20100\u2011306\u201240615\u20137",
        "978\u20140\u2212306\uff0d40615\ufe637",
        "978\u00a00306406157",
        "978\u00ad0306406157",
        "-978--0306406157-",
    ],
)
def test_every_spelling_of_an_isbn_gives_13_digits(text):
    assert isbn.parse(text) == "9780306406157"


@pytest.mark.parametrize("text", ["080442957X", "080442957x", "0-8044-2957-x", "9780804429573"])
def test_the_check_digit_x_may_be_lower_or_upper_case(text):
    assert isbn.parse(text) == "9780804429573"


@pytest.mark.parametrize("text", ["9780306406158", "0306406153", "0804429570", "9791090636070"])
def test_a_wrong_check_digit_is_reported_as_such(text):
    with pytest.raises(ValueError, match="check digit"):
        isbn.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-",
        "X",
        "071148167",
        "030640615",
        "97803064061",
        "978030640615",
        "97803064061577",
        "7501031311309",
        "9770306406157",
        "978030640615X",
        "03064O6152",
        "X306406152",
        "0306406152 (pbk.)",
        "ISBN 0306406152",
        "٠٣٠٦٤٠٦١٥٢",
        "９７８０３０６４０６１５７",
        "0306_406152",
        "0.306406152e9",
        "9.78030640615e+12",
        "0306406152/",
        "0306406152\x00",
        "+0306406152",
        "²306406152",
    ],
)
def test_text_in_another_form_is_not_an_isbn(text):
    with pytest.raises(ValueError, match="must be an ISBN-10 or an ISBN-13"):
        isbn.parse(text)


def test_a_979_isbn_is_accepted_though_it_has_no_isbn_10():
    assert isbn.parse("979-10-90636-07-1") == "9791090636071"


@bounded
@given(isbns)
def test_isbn_10_and_isbn_13_are_the_same_isbn(digits):
    assert isbn.parse(_isbn10(digits)) == digits
    assert isbn.parse(digits) == digits


@bounded
@given(isbns)
def test_every_single_digit_error_is_detected(digits):
    wrong = [
        digits[:place] + str((int(digits[place]) + 1) % 10) + digits[place + 1 :]
        for place in range(13)
    ]
    assert [_verdict(text) for text in wrong] == [""] * 13


def test_isbn_cases_of_other_projects_pass():
    cases = list(csv.DictReader(io.StringIO(read_text("isbn/isbn-cases.csv"), newline="")))
    # Nine digits are an SBN, the standard before ISBN: a typing error in our time, and no ISBN for
    # us.
    expected = {
        case["input"]: case["isbn13"]
        if case["valid"] == "true" and case["form"] != "bare:9"
        else ""
        for case in cases
    }
    assert len(cases) == 561
    assert {text: _verdict(text) for text in expected} == expected


def test_isbns_of_real_books_are_accepted():
    with open_catalogue("loc-10k.jsonl.gz") as lines:
        written = [number for line in lines for number in json.loads(line)["isbn"]]
    tens = {number[:10] for number in written if re.match(r"\d{9}[\dX]\b", number)}
    real = [number for number in tens if _isbn10(f"978{number}") == number]
    assert len(real) > 2000
    assert [number for number in real if _isbn10(_verdict(number) or "0" * 13) != number] == []
