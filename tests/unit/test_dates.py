"""Partial dates: which exist, and how they sort."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookapi.books.fields import dates
from helpers.inventions import bounded
from helpers.inventions import dates as partial_dates


def _is_accepted(text):
    try:
        return dates.parse(text) == text
    except ValueError:
        return False


@pytest.mark.parametrize(
    "text",
    [
        "1815",
        "1815-12",
        "1815-12-23",
        "0001",
        "0001-01-01",
        "9999-12-31",
        "-0720",
        "-0044-03-15",
        "2000-02-29",
        "2024-02-29",
        "-0004-02-29",
        "1582-10-10",
        "0000",
        "-9999",
    ],
)
def test_year_month_and_day_dates_are_kept_unchanged(text):
    assert dates.parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "815",
        "18150",
        "1815-",
        "1815-1",
        "1815-12-",
        "1815-12-2",
        "1815-12-234",
        "1815/12/23",
        "18151223",
        "1815.0",
        "c1815",
        "[1815]",
        "1815?",
        "18uu",
        " 1815",
        "1815\n",
        "1815-12-23T00:00:00Z",
        "23.12.1815",
        "+1815",
        "--1815",
        "-0000",
        "-0000-01",
        "-720",
        "١٨١٥",
        "１８１５",
        "1815\u201312",
        "1815-W01",
        "1815-12-23-01",
        "nil",
    ],
)
def test_a_date_in_another_form_is_rejected_with_the_allowed_forms(text):
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        dates.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "1815-00",
        "1815-13",
        "1815-99-01",
        "1815-01-00",
        "1815-01-32",
        "1815-04-31",
        "2023-02-29",
        "1900-02-29",
        "2100-02-29",
        "2000-02-30",
        "-0001-02-29",
        "1815-00-10",
    ],
)
def test_a_date_that_does_not_exist_is_rejected(text):
    with pytest.raises(ValueError, match="real date"):
        dates.parse(text)


@bounded
@given(st.integers(1, 9999), st.integers(0, 13), st.integers(0, 32))
def test_a_day_is_accepted_if_and_only_if_it_exists(year, month, day):
    try:
        real = bool(date(year, month, day))
    except ValueError:
        real = False
    assert _is_accepted(f"{year:04d}-{month:02d}-{day:02d}") == real
    assert _is_accepted(f"{year:04d}-{month:02d}") == (1 <= month <= 12)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("1999", "1999-01"),
        ("1999-01", "1999-01-01"),
        ("1999-01-31", "1999-02"),
        ("1999-12-31", "2000"),
        ("-0720", "0001"),
        ("-0720", "-0720-01"),
        ("-0720-12-31", "-0719"),
        ("-0001-12-31", "0000"),
        ("0000-12-31", "0001"),
        ("0999-12-31", "1000"),
        ("-9999", "-0001"),
    ],
)
def test_dates_sort_by_time_with_less_precise_dates_first(earlier, later):
    assert dates.sort_key(earlier) < dates.sort_key(later)


@bounded
@given(st.lists(st.dates(), min_size=2, max_size=10))
def test_days_sort_as_the_calendar_does(days):
    assert sorted(days) == sorted(days, key=lambda day: dates.sort_key(day.isoformat()))


@bounded
@given(partial_dates, partial_dates)
def test_sort_keys_are_unique_and_fit_the_column(one, other):
    assert (dates.sort_key(one) == dates.sort_key(other)) == (one == other)
    assert abs(dates.sort_key(one)) < 2**31
