"""Cursors that no list returned. docs/api.md, Sorting and pages."""

import base64
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookapi.text import fold
from helpers.cursors import SORTS, cursor_of, made
from helpers.documents import faults
from helpers.inventions import bounded


def values_in(cursor):
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


NOT_OURS = [
    "",
    " ",
    "**",
    "*x",
    "x",
    "0",
    "1",
    "next",
    "=",
    "====",
    "é",
    "\0",
    "AAAA",
    "%",
    "a b",
    "W10",
    "e30",
    "bnVsbA",
    "W" * 9000,
    "=" * 100,
    "W10=",
    "😀",
    made("id", []),
    made("id", [1, 2]),
    made("id", [None]),
    made("id", ["1"]),
    made("id", [1.0]),
    made("id", [True]),
    made("id", [2**63]),
    made("id", [-(2**63) - 1]),
    made("id", [[1]]),
    made("id", [{}]),
    made("id", 1),
    made("id", {"id": 1}),
    made("title,id", ["a", 1]),
    made("-id", [1]),
    made("", [1]),
    made(["id"], [1]),
    made("id,id", [1, 1]),
    made("nonsense", [1]),
    base64.urlsafe_b64encode(b"[" * 2000).decode(),
    base64.urlsafe_b64encode(b'["id",[NaN]]').decode(),
    base64.urlsafe_b64encode(b'["id",[1e400]]').decode(),
    base64.urlsafe_b64encode(b'["id",[1],2]').decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    base64.urlsafe_b64encode(b'["id",[' + b"9" * 4000 + b"]]").decode(),
]


@pytest.mark.parametrize("name", ["json", "xml"])
def test_an_invalid_cursor_is_a_400_that_names_the_parameter(client, name):
    reported = {
        cursor[:50]: client.get("/books", query_string={"cursor": cursor, "format": name})
        for cursor in NOT_OURS
    }
    assert {
        cursor: answer.status_code
        for cursor, answer in reported.items()
        if answer.status_code != 400
    } == {}
    assert {cursor: faults(answer) for cursor, answer in reported.items()} == dict.fromkeys(
        reported, ["cursor"]
    )


UNFIT = {
    "title": [
        [None, 1],
        [1, 1],
        ["a", None],
        ["a", "1"],
        ["a"],
        ["a", 1, 1],
        [["a"], 1],
        [True, 1],
    ],
    "author": [[1, 1], ["a", None], [False, 1], [None, None]],
    "published": [["1815", 1], [18150000.0, 1], [None, None], [2**63, 1]],
    "created_at": [
        [None, 1],
        [0, 1],
        ["", 1],
        ["now", 1],
        ["2024-01-01", 1],
        ["2024-01-01T00:00:00Z", 1],
        ["2024-13-01T00:00:00.000000Z", 1],
        ["2024-01-01 00:00:00.000000Z", 1],
        ["2024-01-01T25:00:00.000000Z", 1],
        ["2024-02-30T00:00:00.000000Z", 1],
        ["٢٠٢٤-01-01T00:00:00.000000Z", 1],
        ["2024-01-01T00:0٠:00.000000Z", 1],
    ],
}


def test_a_cursor_with_impossible_values_is_rejected(client):
    reported = {
        f"{sort} {values}": client.get(
            "/books", query_string={"sort": sort, "cursor": made(f"{sort},id", values)}
        )
        for sort, all_values in UNFIT.items()
        for values in all_values
    }
    assert {
        what: answer.status_code for what, answer in reported.items() if answer.status_code != 400
    } == {}
    assert {fault for answer in reported.values() for fault in faults(answer)} == {"cursor"}


def test_a_cursor_is_valid_for_its_own_sort_only(shelf):
    cursors = {sort: cursor_of(shelf.get(f"/books?sort={sort}&limit=5&cursor=*")) for sort in SORTS}
    # Behind `id` nothing is left to be ordered: `title` and `title,id` are one order.
    meant = {sort: values_in(cursor)[0] for sort, cursor in cursors.items()}
    for sort, other in itertools.product(SORTS, SORTS):
        answer = shelf.get(
            "/books", query_string={"sort": other, "cursor": cursors[sort], "limit": 1}
        )
        wanted = (200, []) if meant[other] == meant[sort] else (400, ["cursor"])
        assert (answer.status_code, faults(answer)) == wanted, (sort, other)


@pytest.mark.parametrize(
    "query, named",
    [
        ("cursor=*&page=1", ["cursor"]),
        ("page=2&cursor=*", ["cursor"]),
        ("cursor=x&page=1", ["cursor"]),
        ("cursor=*&cursor=*", ["cursor"]),
        ("cursor=*&page=0", ["page", "cursor"]),
        ("cursor=*&limit=0", ["limit"]),
        ("cursor=*&sort=x", ["sort"]),
        ("cursor=x&sort=x", ["sort", "cursor"]),
        ("Cursor=*", ["Cursor"]),
        ("cursor=*&sort=relevance", ["sort"]),
    ],
)
def test_a_cursor_with_other_invalid_parameters_is_a_400(client, query, named):
    answer = client.get(f"/books?{query}")
    assert (answer.status_code, faults(answer)) == (400, named)


def test_a_cursor_contains_only_the_position(shelf):
    answer = shelf.get("/books?sort=author,-published&limit=5&cursor=*")
    last = answer.json["books"][-1]
    sort, values = values_in(cursor_of(answer))
    assert sort == "author,-published,id"
    assert (values[0], values[-1]) == ("1" + fold(last["authors"][0]), last["id"])


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "2024-01-01T00:00:00.000000Z",
            "0001-01-01T00:00:00.000000Z",
            "9999-12-31T23:59:59.999999Z",
        ]
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
some_sorts = st.sampled_from([*SORTS, "-relevance", "relevance,author", "author,-relevance"])


def refused_or_read(client, sort, cursor):
    query = {
        "sort": sort,
        "cursor": cursor,
        "limit": 3,
        **({"q": "common"} if "relevance" in sort else {}),
    }
    answer = client.get("/books", query_string=query)
    assert answer.status_code in (200, 400), (query, answer.get_data())
    assert answer.status_code == 200 or faults(answer) == ["cursor"]


@bounded
@given(some_sorts, st.data())
def test_any_cursor_is_accepted_or_rejected_with_a_400(shelf, sort, data):
    names = (
        sort.split(",") if "id" in sort.replace("-", "").split(",") else [*sort.split(","), "id"]
    )
    fitting = {
        "title": st.text(max_size=30),
        "author": st.none() | st.text(max_size=30),
        "published": st.none() | st.integers(-(2**63), 2**63 - 1),
        "id": st.integers(-(2**63), 2**63 - 1),
        "relevance": st.integers(-(2**63), 2**63 - 1),
        "created_at": st.datetimes().map(
            lambda at: f"{at.year:04d}-{at:%m-%dT%H:%M:%S}.{at.microsecond:06d}Z"
        ),
    }
    fitting["updated_at"] = fitting["created_at"]
    values = [
        data.draw(fitting[name.removeprefix("-")] if data.draw(st.integers(0, 9)) else anything)
        for name in names
    ]
    refused_or_read(shelf, sort, made(",".join(names), values))


@bounded
@given(some_sorts, st.data())
def test_a_tampered_cursor_is_accepted_or_rejected_with_a_400(shelf, sort, data):
    whole = cursor_of(
        shelf.get(
            "/books",
            query_string={
                "sort": sort,
                "limit": 3,
                "cursor": "*",
                **({"q": "common"} if "relevance" in sort else {}),
            },
        )
    )
    at = data.draw(st.integers(0, len(whole)))
    refused_or_read(
        shelf,
        sort,
        data.draw(
            st.sampled_from(
                [
                    whole[:at],
                    whole[at:],
                    whole[:at] + "A" + whole[at + 1 :],
                    whole[:at] + "-" + whole[at:],
                    whole + "=",
                    whole * 2,
                ]
            )
        ),
    )
