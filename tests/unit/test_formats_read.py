"""Streams of books: read in pieces, in bounded memory."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookapi import formats
from bookapi.formats import json, jsonl
from bookapi.formats.xml import reading
from helpers.books import FULL
from helpers.inventions import books, bounded


@pytest.mark.slow
@bounded
@given(st.lists(books(), max_size=4), st.sampled_from(["json", "xml"]))
def test_reading_a_stream_equals_reading_the_document(records, name):
    module = formats.by_name(name)
    body = b"".join(module.write(records))
    assert [record for _, record in module.read(io.BytesIO(body))] == module.loads(
        body, ("catalogue",)
    )["books"]


class Endless:
    """A body that never ends: bytes again and again behind a beginning. `taken`: how many were
    read.
    """

    def __init__(self, begin, again):
        self._begin, self._again, self.taken = begin, again * (65536 // len(again) + 1), 0

    def read(self, size=-1):
        assert size >= 0 and self.taken < 32 * 1024 * 1024, "more is read than can be a record"
        given, self._begin = (self._begin or self._again)[:size], b""
        self.taken += len(given)
        return given

    read1 = read

    def readline(self, size=-1):
        return self.read(size)

    def readable(self):
        return True

    def writable(self):
        return False

    seekable, closed, flush, close = writable, False, readable, readable


ENDLESS = [
    ("json", b'[{"title": "', b"x"),
    ("json", b'[{"title": ', b"["),
    ("json", b"[", b"1"),
    ("json", b'[{"a": [', b"[],"),
    ("json", b'{"a": [', b"1,"),
    ("json", b'[{"title": "\\', b"\\"),
    ("json", b'{"', b"x"),
    ("xml", b"<catalogue><books><book>", b"x"),
    ("xml", b"<catalogue><books><book>", b"<a/>"),
    ("xml", b"<catalogue>", b"<a/>"),
    ("xml", b"<catalogue><books>", b" "),
    ("xml", b"<catalogue a='", b"x"),
    ("xml", b"<", b"x"),
    ("xml", b"<!--", b"x"),
    ("xml", b"", b" "),
    ("xml", b"<?a ", b"x"),
    ("xml", b"<catalogue><books><book><title>", b"&#13;"),
    ("xml", b"<catalogue><!--", b"x"),
]


@pytest.mark.parametrize("name, begin, again", ENDLESS, ids=lambda part: repr(part)[:30])
def test_an_endless_record_is_rejected(name, begin, again, monkeypatch):
    longest = 256 * 1024
    for module in (formats, json, jsonl, reading):
        monkeypatch.setattr(module, "MAX_RECORD", longest)
    body = Endless(begin, again)
    with pytest.raises(formats.Malformed):
        for _ in formats.by_name(name).read(body):
            pass
    assert body.taken < 6 * longest


def test_an_endless_line_is_reported_and_the_next_one_is_read():
    body = b'{"title": "a"}\n' + b"x" * (3 * formats.MAX_RECORD) + b'\n{"title": "b"}\n'
    reported = list(formats.by_name("jsonl").read(io.BytesIO(body)))
    assert [line for line, _ in reported] == [1, 2, 3] and reported[2][1] == {"title": "b"}
    assert "has more than" in str(reported[1][1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["json", "xml", "csv", "jsonl"])
@pytest.mark.parametrize("size", [1, 7, 65536])
def test_chunk_boundaries_do_not_change_the_result(name, size):
    """Many records, and long ones, read by pieces of any size."""
    records = [
        {**FULL, "description": "\U0001f4da\xe9 \n" * number, "pages": number}
        for number in range(1, 300, 11)
    ]
    body = b"".join(formats.by_name(name).write(records, tuple(FULL)))

    class Cut(io.BytesIO):
        def read(self, wanted=-1):
            return super().read(min(wanted, size) if wanted >= 0 else wanted)

        read1 = read

    def read(stream):
        module = formats.by_name(name)
        return list(
            module.table(stream, None, None).rows if module.can("table") else module.read(stream)
        )

    assert read(Cut(body)) == read(io.BytesIO(body))
