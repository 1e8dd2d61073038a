"""XML: output identical to dicttoxml."""

import re

import dicttoxml
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from bookapi.books.schemas import LISTS, READ_ONLY, WRITABLE, book_schema
from bookapi.formats import Malformed, xml
from bookapi.text import FORBIDDEN, clean
from helpers.data import big_list, real_titles
from helpers.inventions import FULL, SPARSE, books, bounded, texts


def _document(root, inner):
    return xml.DECLARATION + f"<{root}>{inner}</{root}>".encode()


def _as_read(value):
    """What reading gives for what was written: numbers as text, nulls absent."""
    if isinstance(value, dict):
        return {name: _as_read(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_as_read(part) for part in value]
    return str(value)


# -- writing -----------------------------------------------------------------------------


@bounded
@given(books(texts))
def test_a_book_is_written_byte_for_byte_as_dicttoxml_does(record):
    assert xml.dumps(record, "book") == _document("book", xml.by_dicttoxml(record))


@bounded
@given(books(texts))
def test_a_book_survives_an_xml_round_trip(record):
    assert xml.loads(xml.dumps(record, "book"), ("book",)) == _as_read(record)


@bounded
@given(st.lists(books(texts), max_size=3), st.integers(0, 10**6), texts)
def test_a_list_of_books_is_written_as_dicttoxml_does_and_survives_a_round_trip(
    records, total, address
):
    data = {"books": records, "total": total, "limit": 20, "links": {"self": address, "next": None}}
    written = xml.dumps(data, "catalogue")
    assert written == _document("catalogue", xml.by_dicttoxml(data))
    assert xml.loads(written, ("catalogue",))["books"] == [_as_read(record) for record in records]


@pytest.mark.slow
@bounded
@given(st.lists(books(texts), max_size=3))
def test_a_stream_is_written_as_dicttoxml_does_and_survives_a_round_trip(records):
    written = b"".join(xml.write(records))
    assert written == _document("catalogue", xml.by_dicttoxml({"books": records}))
    assert xml.loads(written, ("catalogue",)) == {"books": [_as_read(record) for record in records]}


@bounded
@given(books())
def test_output_equals_dicttoxml_except_for_carriage_returns_and_nulls(record):
    full = {name: value for name, value in record.items() if value is not None}
    named = {
        "root": False,
        "attr_type": False,
        "item_func": lambda parent: xml.ITEMS.get(parent, "item"),
    }
    plain = dicttoxml.dicttoxml(full, **named)
    assert xml.by_dicttoxml(record) == plain.decode().replace("\r", "&#13;")


def test_lists_of_maximum_length_are_written_as_dicttoxml_does():
    record = {
        **FULL,
        "authors": [f"<{number}>" for number in range(100)],
        "subjects": ["&"] * 100,
        "identifiers": [{"scheme": "a", "value": f"'{number}\r"} for number in range(50)],
        "description": "]]>" * 6000,
    }
    assert xml.dumps(record, "book") == _document("book", xml.by_dicttoxml(record))
    assert xml.loads(xml.dumps(record, "book"), ("book",)) == _as_read(record)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a & b", "a &amp; b"),
        ("<>", "&lt;&gt;"),
        ("\"'", "&quot;&apos;"),
        ("a\rb\r\nc\td", "a&#13;b&#13;\nc\td"),
        ("&amp;", "&amp;amp;"),
        ("]]>", "]]&gt;"),
        ("📚 ף", "📚 ף"),
        ("<![CDATA[x]]>", "&lt;![CDATA[x]]&gt;"),
    ],
)
def test_text_is_escaped_without_loss(text, written):
    made = xml.dumps({**SPARSE, "title": text, "authors": [text]}, "book").decode()
    assert f"<title>{written}</title>" in made and f"<author>{written}</author>" in made
    assert xml.loads(made.encode(), ("book",))["title"] == text


def test_null_is_omitted_and_an_empty_list_is_an_empty_element():
    written = xml.dumps(SPARSE, "book").decode()
    assert "subtitle" not in written
    assert "<authors></authors>" in written and "<identifiers></identifiers>" in written


def test_fields_are_elements_without_attributes_in_the_documented_order():
    written = xml.dumps(FULL, "book").decode()
    assert written.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<book><id>7</id><title>')
    assert [name for name in re.findall(r"<(\w+)>", written) if name in FULL] == list(FULL)


@pytest.mark.parametrize(
    ("root", "data", "inner"),
    [
        (
            "users",
            {"users": [{"id": 1, "active": True}]},
            "<users><user><id>1</id><active>true</active></user></users>",
        ),
        (
            "terms",
            {"terms": [{"value": "a&b", "count": 2}], "total": 1},
            "<terms><term><value>a&amp;b</value><count>2</count></term></terms><total>1</total>",
        ),
        (
            "history",
            {
                "history": [
                    {"seq": 1, "changes": [{"field": "title", "before": None, "after": "x"}]}
                ]
            },
            "<history><entry><seq>1</seq><changes><change><field>title</field><after>x</after></change></changes></entry>"
            "</history>",
        ),
        (
            "report",
            {"read": 1, "errors": [], "warnings": [{"detail": "a\rb"}]},
            "<read>1</read><errors></errors><warnings><warning><detail>a&#13;b</detail></warning></warnings>",
        ),
        ("user", {"active": False, "name": None}, "<active>false</active>"),
    ],
)
def test_other_documents_use_elements_named_after_their_fields(root, data, inner):
    assert xml.dumps(data, root) == _document(root, inner)


def test_xml_problems_follow_rfc_7807_namespace_and_item_names():
    written = xml.problem(
        {"status": 422, "detail": None, "errors": [{"field": "isbn", "detail": "<wrong>"}]}
    )
    assert written == xml.DECLARATION + (
        b'<problem xmlns="urn:ietf:rfc:7807"><status>422</status><errors><i><field>isbn</field>'
        b"<detail>&lt;wrong&gt;</detail></i></errors></problem>"
    )


def test_a_stream_is_written_in_bounded_pieces_from_the_first_record_on():
    taken = []

    def records():
        for number in range(1000):
            taken.append(number)
            yield FULL

    chunks = xml.write(records())
    assert len(next(chunks)) < 8192 and len(taken) < 20
    assert max(map(len, chunks)) < 2 * xml.CHUNK


# -- through the schema and back ---------------------------------------------------------


def _back(record):
    """The record that a client makes which sends back what it got."""
    read = xml.loads(xml.dumps(record, "book"), ("book",))
    return book_schema.load({name: value for name, value in read.items() if name not in READ_ONLY})


@bounded
@given(books())
def test_a_book_sent_back_as_xml_is_unchanged(record):
    assert _back(record) == {name: record[name] for name in WRITABLE}


def test_naughty_strings_survive_an_xml_round_trip_or_are_rejected():
    strings = [*big_list(), *real_titles()]
    kept = [text for text in strings if not FORBIDDEN.search(text) and clean(text)]
    assert len(strings) - len(kept) < 20 < len(kept)
    for text in kept:
        subjects = [text[:100]] if clean(text[:100]) else []
        record = book_schema.load({"title": text, "subjects": subjects, "description": text})
        assert _back(record) == record
    for text in set(strings) - set(kept):
        with pytest.raises(ValidationError, match="title"):
            book_schema.load({"title": text})


@pytest.mark.parametrize("record", [FULL, SPARSE], ids=["full", "sparse"])
def test_lists_of_one_or_no_item_are_lists(record):
    read = xml.loads(xml.dumps(record, "book"), ("book",))
    assert {name: read[name] for name in LISTS} == {name: record[name] for name in LISTS}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"<book>\n<title>a</titl></book>", " at line 2, column 16"),
        (b"<book>\n\n<title>&</title></book>", " at line 3, column 9"),
        (b"<book><title>a&nbsp;</title></book>", ""),
        (b"", ""),
    ],
)
def test_where_a_document_is_not_well_formed_is_said_in_words_of_ours(body, place):
    with pytest.raises(Malformed) as raised:
        xml.loads(body, ("book",))
    assert str(raised.value) == f"not well-formed XML{place}"
