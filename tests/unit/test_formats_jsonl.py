"""JSON Lines: one object in each line, errors reported by line."""

import codecs
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookapi.formats import Malformed, jsonl
from helpers.inventions import FULL, SPARSE, books, bounded, texts


def _read(body, **options):
    return list(jsonl.read(io.BytesIO(body), **options))


@pytest.mark.slow
@bounded
@given(st.lists(books(texts), max_size=5))
def test_any_records_survive_a_round_trip_with_line_numbers(records):
    written = b"".join(jsonl.write(records))
    assert _read(written) == list(enumerate(records, 1))
    assert written.count(b"\n") == len(records)


def test_no_records_give_no_lines():
    assert b"".join(jsonl.write([])) == b""
    assert _read(b"") == []


def test_blank_lines_are_skipped_but_counted():
    assert _read(b'\n{"title": "A"}\r\n \t\n\n{"title": "B"}') == [
        (2, {"title": "A"}),
        (5, {"title": "B"}),
    ]


def test_a_byte_order_mark_is_removed_from_the_first_line_only():
    assert _read(codecs.BOM_UTF8 + b'{"title": "A"}\n') == [(1, {"title": "A"})]
    assert isinstance(_read(b"{}\n" + codecs.BOM_UTF8 + b'{"title": "A"}\n')[1][1], Malformed)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b"[]", "is not an object"),
        (b"null", "is not an object"),
        (b'"text"', "is not an object"),
        (b"671", "is not an object"),
        (b'{"title": "A"', "not JSON"),
        (b'{"title": "A"} {}', "not JSON"),
        (b"title,isbn", "not JSON"),
        (b'{"title": 1, "title": 2}', "stands twice"),
        (b'{"pages": NaN}', "NaN is not JSON"),
        (b'{"a": ' * 33 + b"1" + b"}" * 33, "deeper than 32"),
        (b'{"a": ' * 50000, ""),
        (b'{"title": "\xe9"}', "not utf-8"),
        (b'{"title": "\xed\xa0\x80"}', "not utf-8"),
        (b"\x00", "not JSON"),
    ],
)
def test_an_invalid_line_is_reported_and_the_others_are_read(line, detail):
    before, wrong, after = _read(b'{"title": "A"}\n' + line + b'\n{"title": "B"}\n')
    assert (before, after) == ((1, {"title": "A"}), (3, {"title": "B"}))
    assert wrong[0] == 2 and isinstance(wrong[1], Malformed) and detail in str(wrong[1])


def test_a_named_encoding_is_used():
    body = '{"title": "é"}\n'.encode("cp1252")
    assert _read(body, encoding="cp1252") == [(1, {"title": "é"})]
    assert "name its encoding" in str(_read(body)[0][1])


def test_unicode_line_separators_do_not_end_a_line():
    record = {"title": "a\u2028b\u2029c\x85d\ne\r\nf"}
    assert _read(b"".join(jsonl.write([record, record]))) == [(1, record), (2, record)]


def test_records_are_read_one_by_one():
    records = jsonl.read(io.BytesIO(b'{"title": "A"}\n' * 3))
    assert iter(records) is records
    assert next(records) == (1, {"title": "A"})


def test_a_stream_is_written_in_bounded_pieces_from_the_first_record_on():
    taken = []

    def records():
        for number in range(2000):
            taken.append(number)
            yield FULL if number % 2 else SPARSE

    chunks = jsonl.write(records())
    assert len(next(chunks)) < 8192 and len(taken) < 40
    assert max(map(len, chunks)) < 2 * jsonl.CHUNK
