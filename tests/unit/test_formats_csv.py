"""CSV: cells, lists in a cell, formulas, and round trips."""

import csv as standard
import gc
import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookapi.books.imports.mapping import Mapping
from bookapi.books.schemas import FIELDS, LISTS, WRITABLE
from bookapi.formats import MAX_RECORD, Malformed, csv
from helpers.data import big_list, payloads, read_text, real_titles
from helpers.instance import DATA
from helpers.inventions import FULL, SPARSE, books, bounded, texts

SPECTRUM = (
    "comma_in_quotes",
    "empty_crlf",
    "json",
    "newlines",
    "quotes_and_newlines",
    "simple_crlf",
)
items = st.text(
    st.one_of(st.sampled_from(" |\\'=a"), texts.map(lambda text: text[0])), min_size=1, max_size=8
)


def _read(body, **options):
    table = csv.table(io.BytesIO(body.encode() if isinstance(body, str) else body), **options)
    return [
        (line, row if isinstance(row, Malformed) else _named(table.header, row))
        for line, row in table.rows
    ]


def _named(header, row):
    return {name: csv.unquote(cell) for name, cell in zip(header, row, strict=False)}


def _cells(record):
    """What reading gives for a record: text, lists still in one cell."""
    return {
        name: ""
        if value is None
        else value
        if isinstance(value, str)
        else csv.join(value)
        if isinstance(value, list)
        else str(value)
        for name, value in record.items()
    }


def _raw(written):
    """The rows as any other reader of RFC 4180 sees them."""
    return list(standard.reader(io.StringIO(written.decode(), newline=""), strict=True))


@bounded
@given(st.lists(books(texts), max_size=4))
def test_any_records_survive_a_round_trip(records):
    read = [record for _, record in _read(b"".join(csv.write(records, FIELDS)))]
    assert read == [_cells(record) for record in records]
    assert [[csv.split(record[name]) for name in ("authors", "subjects")] for record in read] == [
        [record[name] for name in ("authors", "subjects")] for record in records
    ]


@bounded
@given(st.lists(books(), max_size=3))
def test_an_export_comes_back_through_the_mapping(records):
    mapping = Mapping(None, {}, {}, (), clears=True)
    table = csv.table(io.BytesIO(b"".join(csv.write(records, FIELDS))))
    for (_, row), record in zip(table.rows, records, strict=True):
        read = mapping.read(tuple(table.header), row)
        assert read.values == {name: record[name] for name in WRITABLE}
        assert read.issues == [] and read.error is None and read.adds == []
        assert read.own == (
            record["id"],
            record["created_at"],
            record["version"],
            record["updated_at"],
        )
    assert mapping.ignored == []


@bounded
@given(st.lists(items, max_size=5))
def test_lists_survive_a_round_trip_whatever_their_items_contain(values):
    assert csv.split(csv.join(values)) == values


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a | b"),
        (["a | b"], r"a \| b"),
        (["a|b", "c"], "a|b | c"),
        (["|"], r"\|"),
        (["|", "|"], r"\| | \|"),
        ([r"\|"], r"\\|"),
        (["a |", "| b"], r"a \| | \| b"),
        (["\\", "\\"], "\\ | \\"),
        ([r"a \| b"], r"a \\| b"),
        (["a | | b"], r"a \| \| b"),
        (["a\n| b"], "a\n| b"),
        (
            [{"scheme": "isbn", "value": "1"}, {"scheme": "x", "value": "a:b | c"}],
            r"isbn:1 | x:a:b \| c",
        ),
    ],
)
def test_a_bar_inside_an_item_is_escaped(values, cell):
    assert csv.join(values) == cell
    assert csv.split(cell) == [
        f"{item['scheme']}:{item['value']}" if isinstance(item, dict) else item for item in values
    ]


def test_a_given_separator_splits_and_trims():
    assert csv.split("Ann; Bob ;;Cy", ";") == ["Ann", "Bob", "Cy"]
    assert csv.split("", ";") == csv.split(" ; ", ";") == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
@pytest.mark.parametrize("apostrophes", ["", "'", "''"])
def test_a_cell_that_looks_like_a_formula_gets_an_apostrophe(apostrophes, start):
    title = apostrophes + start + "1+1"
    written = b"".join(csv.write([{**SPARSE, "title": title}], FIELDS))
    assert _raw(written)[1][1] == "'" + title
    assert _read(written)[0][1]["title"] == title


@pytest.mark.parametrize(
    "title", ["'", "''", "'Tis", "'90s", "a=1", "1-1", "'\n=", "|", "\\", "'a-b"]
)
def test_other_cells_are_written_unchanged(title):
    written = b"".join(csv.write([{**SPARSE, "title": title}], FIELDS))
    assert _raw(written)[1][1] == title
    assert _read(written)[0][1]["title"] == title


@pytest.mark.parametrize(
    ("field", "value", "cell"),
    [
        ("authors", ["=cmd", "b"], "'=cmd | b"),
        ("published", "-0720", "'-0720"),
        ("subjects", ["@a"], "'@a"),
        ("identifiers", [{"scheme": "-x", "value": "=1"}], "'-x:=1"),
        ("series_number", "+1", "'+1"),
        ("pages", 671, "671"),
    ],
)
def test_every_column_is_protected_from_formulas(field, value, cell):
    written = b"".join(csv.write([{**SPARSE, field: value}], FIELDS))
    assert _raw(written)[1][FIELDS.index(field)] == cell
    assert _read(written)[0][1][field] == (cell[1:] if cell.startswith("'") else cell)


def test_known_formula_injections_are_neutralized_and_survive_a_round_trip():
    titles = [*payloads("formula-injection"), *real_titles(), *big_list()]
    written = b"".join(
        csv.write([{**SPARSE, "title": title, "description": title} for title in titles], FIELDS)
    )
    assert [
        cell
        for row in _raw(written)
        for cell in row
        if cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    ] == []
    assert [record["title"] for _, record in _read(written)] == titles


def test_the_header_is_the_fields_of_a_book_and_lines_end_as_rfc_4180_says():
    written = b"".join(csv.write([FULL, SPARSE], FIELDS))
    assert tuple(_raw(written)[0]) == FIELDS
    assert (
        written.startswith(b"id,title,")
        and written.endswith(b"\r\n")
        and not written.startswith(b"\xef\xbb\xbf")
    )


def test_no_records_give_only_a_header():
    written = b"".join(csv.write([], FIELDS))
    assert written == ",".join(FIELDS).encode() + b"\r\n"
    assert _read(written) == []


@pytest.mark.parametrize("name", SPECTRUM)
def test_the_files_of_csv_spectrum_give_their_json(name):
    read = [record for _, record in _read((DATA / "csv" / f"{name}.csv").read_bytes())]
    assert read == json.loads(read_text(f"csv/{name}.json"))


def test_every_file_of_csv_spectrum_is_in_the_table():
    assert sorted(path.stem for path in (DATA / "csv").glob("*.csv")) == sorted(SPECTRUM)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_line_ending_and_comma_semicolon_or_tab_are_accepted(delimiter, end):
    body = end.join(
        [delimiter.join(row) for row in (["title", "isbn"], ["A", "1"], ['"x""y"', ""])]
    )
    assert _read(body) == [(2, {"title": "A", "isbn": "1"}), (3, {"title": 'x"y', "isbn": ""})]


def test_a_record_has_the_number_of_its_first_line():
    body = 'title,isbn\n"a\nb",1\n\n"c\r\nd\r\ne",2\nf,3\n'
    assert [line for line, _ in _read(body)] == [2, 5, 8]


def test_a_byte_order_mark_and_spaces_in_the_header_are_ignored():
    assert _read(b"\xef\xbb\xbf title , isbn\nA,1\n") == [(2, {"title": "A", "isbn": "1"})]


def test_rows_may_have_fewer_or_more_cells_than_the_header():
    table = csv.table(io.BytesIO(b"title,,title,isbn\nA\nA,x,B,1,,\n"))
    assert table.header == ["title", "", "title", "isbn"]
    assert list(table.rows) == [(2, ["A"]), (3, ["A", "x", "B", "1", "", ""])]


@pytest.mark.parametrize("blank", ["", "   ", ",,,", ";;;", " , ,\t", '"",""'])
def test_rows_of_separators_only_are_skipped(blank):
    assert _read(f"title,isbn\nA,1\n{blank}\nB,2\n{blank}\n{blank}") == [
        (2, {"title": "A", "isbn": "1"}),
        (4, {"title": "B", "isbn": "2"}),
    ]


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", "\ufeffsep=;"])
def test_a_sep_line_names_the_separator(line):
    table = csv.table(io.BytesIO(f"{line}\r\ntitle,x;isbn\r\nA;1\r\n".encode()))
    assert (table.header, table.delimiter) == (["title,x", "isbn"], ";")
    assert list(table.rows) == [(3, ["A", "1"])]


def test_a_separator_inside_quotes_is_not_counted():
    assert csv.table(io.BytesIO(b'"a,b,c,d";"e"\n1;2\n')).header == ["a,b,c,d", "e"]


@pytest.mark.parametrize("body", [b"", b"\n", b",,\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2])
def test_a_file_without_a_header_is_malformed(body):
    with pytest.raises(Malformed, match="no header"):
        _read(body)


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        (b'"A', "end of data"),
        (b'"B"x', "expected after"),
        (b'"The "Best" of it"', "expected after"),
        (b"\xe9", "another encoding"),
        (b"\xed\xa0\x80", "another encoding"),
        (b"x" * (csv.MAX_CELL + 1), "field limit"),
        (b"x" * (3 * MAX_RECORD), "more than"),
        (b'"' + b'x"",' * 10 + (b"x" * 99_999 + b"\r") * 30, "limit"),
    ],
)
def test_an_invalid_row_loses_one_record_only(wrong, detail):
    rows = _read(b"title\nA\n" + wrong + b"\nB\n")
    assert rows[0] == (2, {"title": "A"}) and rows[-1][1] == {"title": "B"}
    assert rows[1][0] == 3 and isinstance(rows[1][1], Malformed) and detail in str(rows[1][1])


def test_unpaired_quotes_in_tab_separated_files_are_text():
    body = 'title\tisbn\nHomilies "for\t1\n"Best" of\t2\n"open\t3\nB\t4\n'
    assert [record["title"] for _, record in _read(body)] == [
        'Homilies "for',
        '"Best" of',
        '"open',
        "B",
    ]


def test_a_named_encoding_is_used():
    body = "title\nMötley – Crüe\n"
    assert _read(body.encode("cp1252"), encoding="cp1252") == [(2, {"title": "Mötley – Crüe"})]
    assert _read(body.encode("utf-16"), encoding="utf-16") == [(2, {"title": "Mötley – Crüe"})]


def test_reading_leaves_the_stream_open():
    stream = io.BytesIO(b"title\nA\n")
    list(csv.table(stream).rows)
    gc.collect()
    assert not stream.closed


def test_an_abandoned_reader_raises_nothing_later(monkeypatch):
    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    table = csv.table(io.BytesIO(b"title\nA\nB\n"))
    assert next(table.rows) == (2, ["A"])
    del table
    gc.collect()
    assert [str(failure.exc_value) for failure in ignored] == []


def test_a_stream_is_written_in_pieces_from_the_first_record_on():
    taken = []

    def records():
        for number in range(1000):
            taken.append(number)
            yield FULL

    chunks = csv.write(records(), FIELDS)
    assert len(next(chunks)) < 8192 and len(taken) < 20
    assert max(map(len, chunks)) < 128 * 1024


def test_list_columns_are_the_list_fields():
    assert [name for name in FIELDS if isinstance(FULL[name], list)] == sorted(
        LISTS, key=FIELDS.index
    )
