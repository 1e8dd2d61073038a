"""Files of all kinds: workbooks, gzip, what is no catalogue, and what is broken or hostile."""

import gzip
import io
import time
import zipfile

import pytest

from bookapi.books.imports import service
from bookapi.formats import Malformed
from helpers.support import csv_bytes, stored

SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def xlsx(*rows, fill=b""):
    """A small Excel workbook with one sheet."""
    cells = "".join(
        "<row>"
        + "".join(
            f"<c><v>{cell}</v></c>"
            if isinstance(cell, int | float)
            else f'<c t="inlineStr"><is><t>{cell}</t></is></c>'
            for cell in row
        )
        + "</row>"
        for row in rows
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="Books" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{RELATIONS}/worksheet" '
        f'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData>'
        "</worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
        if fill:
            archive.writestr("xl/media/image.bin", fill)
    return out.getvalue()


OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
ODS = "application/vnd.oasis.opendocument.spreadsheet"


def ods(*rows):
    """A small OpenDocument workbook with one sheet."""
    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="float" office:value="{cell}"/>'
            if isinstance(cell, int | float)
            else '<table:table-cell office:value-type="string">'
            f"<text:p>{cell}</text:p></table:table-cell>"
            for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
    content = (
        f'<office:document-content xmlns:office="{OFFICE}:office:1.0" '
        f'xmlns:table="{OFFICE}:table:1.0" xmlns:text="{OFFICE}:text:1.0">'
        f'<office:body><office:spreadsheet><table:table table:name="Books">{cells}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = (
        f'<manifest:manifest xmlns:manifest="{OFFICE}:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS}"/>'
        "</manifest:manifest>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", ODS)
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)
    return out.getvalue()


BOOKS = [["Title", "ISBN", "Year", "Pages"], ["Emma", 9780141439587, 2003, 474.0]]


def prepared(content, **options):
    with service.prepare(io.BytesIO(content), service.Options(**options)) as found:
        return found.report


@pytest.mark.parametrize("name", ["books.xlsx", "books.dat", "books.xlsx.gz", "books.ods"])
def test_a_workbook_is_read_like_a_table(runner, client, tmp_path, name):
    content = (ods if name.endswith(".ods") else xlsx)(*BOOKS)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    result = runner.invoke(args=["books", "import", str(path)])
    assert result.exit_code == 0, result.output
    [book] = stored(client)
    assert (book["isbn"], book["published"], book["pages"]) == ("9780141439587", "2003", 474)


@pytest.mark.parametrize("workbook", [xlsx, ods])
def test_rows_of_a_sheet_are_counted_from_its_top(workbook):
    report = prepared(workbook([], [], *BOOKS, [], ["Ema", "", "soon"]))
    assert [(each["record"], each["line"]) for each in report.warnings] == [(2, 6)]


@pytest.mark.parametrize("workbook", [xlsx, ods])
def test_a_sheet_is_chosen_by_its_name(workbook):
    assert prepared(workbook(*BOOKS), sheet="Books").counts["read"] == 1
    with pytest.raises(Malformed, match="there is no sheet 'Other', only Books"):
        prepared(workbook(*BOOKS), sheet="Other")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x89PNG\r\n", "a picture"),
        (b"@book{emma, title = {Emma}}", "BibTeX"),
        (b"TY  - BOOK\nTI  - Emma\n", "RIS"),
        (b"00714cam a2200205 a 4500", "MARC"),
        (b"PK\x03\x04 nothing", "a zip archive"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (xlsx(*BOOKS)[:400], "not a workbook"),
        (gzip.compress(csv_bytes(["title"], *[[str(n)] for n in range(9999)]))[:300], "gzip"),
        (b"\x1f\x8bnothing", "gzip"),
    ],
)
def test_what_is_no_catalogue_is_named_as_what_it_is(content, what):
    with pytest.raises(Malformed, match=what):
        prepared(content)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"title\n" + b"x" * 100_000_000),
        xlsx(*BOOKS, fill=b"\0" * 300_000_000),
        b"title\n" + b"x" * 50_000_000 + b"\nEmma\n",
        b'title\n"' + (b"x" * 999 + b"\n") * 2_300,
        b",".join(b"title%d" % n for n in range(10_000)) + b"\n" + b"x," * 9_999 + b"x\n",
    ],
    ids=["gzip bomb", "workbook bomb", "one long field", "a quote that never closes", "columns"],
)
def test_hostile_files_take_bounded_time(content):
    begun = time.monotonic()
    try:
        report = prepared(content, on_error="skip")
        assert report.counts["rejected"] or report.warnings
    except Malformed as error:
        assert "unpacks to more than" in str(error)
    assert time.monotonic() - begun < 40
