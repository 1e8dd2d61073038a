"""The quick way of `Mapping.read` for common cells against the readers of fields."""

from hypothesis import given
from hypothesis import strategies as st

from bookapi.books.imports import mapping, readers
from bookapi.books.imports.readers import MappedRecord
from bookapi.books.schemas import WRITABLE
from helpers.inventions import bounded, texts

CELLS = (
    texts
    | st.sampled_from(
        [
            "2003-04-29",
            "c2003",
            "1850-1860",
            "eng",
            "eng, deu",
            "474 p.",
            "0",
            "12",
            "\x00",
            " ",
            "'",
        ]
        + ["http://example.com/a.png", "no address", "9780141439587", "a | b", "x" * 3000, "'=1"]
    )
    | st.text(max_size=8)
)


@bounded
@given(st.lists(CELLS, min_size=len(WRITABLE), max_size=len(WRITABLE)), st.booleans())
def test_the_quick_way_reads_each_cell_as_the_reader_of_its_field(row, clears):
    columns = mapping.Mapping(None, {}, {}, [], clears)
    quick = columns.read(WRITABLE, row)
    slow = MappedRecord()
    for name, _, _, sources in columns.plan(WRITABLE).fields:
        columns._read_field(name, sources, row, slow)
    if "title" not in slow.values and slow.error is None:
        slow.error = (readers.TITLE_MISSING, "title", None)
    assert quick == slow
