"""What schemathesis sends for the formats of our schemas (SCHEMATHESIS_HOOKS)."""

import schemathesis
from hypothesis import strategies as st


def _isbn(number):
    digits = f"978{number:09d}"
    total = sum(int(digit) * (1, 3)[at % 2] for at, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


YEARS = st.integers(1, 9999).map("{:04d}".format)
DATES = st.dates().map(str)
schemathesis.openapi.format("isbn", st.integers(0, 10**9 - 1).map(_isbn))
schemathesis.openapi.format("partial-date", st.one_of(YEARS, DATES, DATES.map(lambda day: day[:7])))
schemathesis.openapi.format(
    "language-tag", st.sampled_from(["en", "de", "fr-CA", "zh-Hant", "pt-BR", "la"])
)
schemathesis.openapi.format(
    "uri", st.sampled_from(["https://example.com/a.jpg", "http://example.org/x?y=1"])
)
