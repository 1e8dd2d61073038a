"""docs/asvs.md has each requirement of OWASP ASVS 5.0.0 once, with a verdict and its support."""

import re
from collections import Counter

from helpers.instance import ROOT

TEXT = (ROOT / "docs/asvs.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if re.match(r"\| *\d+\.\d+\.\d+", line)
]

# The requirements of OWASP ASVS 5.0.0 by the level that introduces them; `a–b` is a range.
LEVELS = {
    1: """
    1.2.1–1.2.5 1.3.1–1.3.2 1.5.1
    2.1.1 2.2.1–2.2.2 2.3.1
    3.2.1–3.2.2 3.3.1 3.4.1–3.4.2 3.5.1–3.5.3
    4.1.1 4.4.1
    5.2.1–5.2.2 5.3.1–5.3.2
    6.1.1 6.2.1–6.2.8 6.3.1–6.3.2 6.4.1–6.4.2
    7.2.1–7.2.4 7.4.1–7.4.2
    8.1.1 8.2.1–8.2.2 8.3.1
    9.1.1–9.1.3 9.2.1
    10.4.1–10.4.5
    11.3.1–11.3.2 11.4.1
    12.1.1 12.2.1–12.2.2
    13.4.1
    14.2.1 14.3.1
    15.1.1 15.2.1 15.3.1
""",
    2: """
    1.1.1–1.1.2 1.2.6–1.2.9 1.3.3–1.3.11 1.4.1–1.4.3 1.5.2
    2.1.2–2.1.3 2.2.3 2.3.2–2.3.4 2.4.1
    3.3.2–3.3.4 3.4.3–3.4.6 3.5.4–3.5.5 3.7.1–3.7.2
    4.1.2–4.1.3 4.2.1 4.3.1–4.3.2 4.4.2–4.4.4
    5.1.1 5.2.3 5.4.1–5.4.3
    6.1.2–6.1.3 6.2.9–6.2.12 6.3.3–6.3.4 6.4.3–6.4.4 6.5.1–6.5.5 6.6.1–6.6.3 6.8.1–6.8.4
    7.1.1–7.1.3 7.3.1–7.3.2 7.4.3–7.4.5 7.5.1–7.5.2 7.6.1–7.6.2
    8.1.2 8.2.3 8.4.1
    9.2.2–9.2.4
    10.1.1–10.1.2 10.2.1–10.2.2 10.3.1–10.3.4 10.4.6–10.4.11 10.5.1–10.5.5
    10.6.1–10.6.2 10.7.1–10.7.3
    11.1.1–11.1.2 11.2.1–11.2.3 11.3.3 11.4.2–11.4.4 11.5.1 11.6.1
    12.1.2–12.1.3 12.3.1–12.3.4
    13.1.1 13.2.1–13.2.5 13.3.1–13.3.2 13.4.2–13.4.5
    14.1.1–14.1.2 14.2.2–14.2.4 14.3.2–14.3.3
    15.1.2–15.1.3 15.2.2–15.2.3 15.3.2–15.3.7
    16.1.1 16.2.1–16.2.5 16.3.1–16.3.4 16.4.1–16.4.3 16.5.1–16.5.3
    17.1.1 17.2.1–17.2.4 17.3.1–17.3.2
""",
}


def _each(numbers):
    """`6.8.1–6.8.4` as a list of its four numbers."""
    first, _, last = numbers.partition("–")
    section, begin = first.rsplit(".", 1)
    end = last or first
    assert end.startswith(section + "."), f"{numbers} spans sections"
    return [f"{section}.{number}" for number in range(int(begin), int(end.rsplit(".", 1)[1]) + 1)]


REQUIRED = {
    number: level
    for level, ranges in LEVELS.items()
    for given in ranges.split()
    for number in _each(given)
}


def _verdict(row):
    return next(
        (name for name in ("n/a", "operator", "not met") if row[3].startswith(f"**{name}**")), "met"
    )


def test_every_requirement_has_one_row_in_the_order_of_the_standard():
    assert Counter(REQUIRED.values()) == {1: 70, 2: 183}
    listed = [number for row in ROWS for number in _each(row[0])]
    assert Counter(listed) == Counter(dict.fromkeys(REQUIRED, 1))
    assert listed == sorted(listed, key=lambda number: [*map(int, number.split("."))])


def test_every_row_has_its_level_and_what_its_verdict_needs():
    for row in ROWS:
        assert len(row) == 5 and all(row), row
        where, tests = row[3:]
        assert {str(REQUIRED[number]) for number in _each(row[0])} == {row[1]}, row
        if _verdict(row) == "met":
            assert "`" in where or "security.md" in where, row
            assert all(
                re.fullmatch(r"review|`tests/[\w/]+\.py(::test_\w+)?`", test)
                for test in tests.split(", ")
            ), row
        else:
            assert tests == "–" and len(where.split("**")[2].strip(": ")) > 3, row


def test_every_paragraph_of_security_md_that_is_named_exists():
    named = {name for row in ROWS for name in re.findall(r"\*([A-Z][^*]+)\*", row[3])}
    assert len(named) > 5
    assert [name for name in sorted(named) if f"**{name}" not in SECURITY] == []


def test_the_sum_of_the_verdicts_is_right():
    counted = Counter(_verdict(row) for row in ROWS for _ in _each(row[0]))
    assert (
        f"Of {len(REQUIRED)} requirements {counted['met']} are met, {counted['n/a']} do not apply, "
        f"{counted['operator']} are the operator's, {counted['not met']} are not met."
    ) in TEXT
