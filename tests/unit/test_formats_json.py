"""JSON: what is accepted, rejected and written."""

import json as standard
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from bookapi.books.schemas import WRITABLE, book_schema
from bookapi.formats import Malformed, json
from bookapi.text import FORBIDDEN, clean
from helpers.data import big_list, json_cases, real_titles
from helpers.inventions import FULL, SPARSE, books, bounded, texts

# Where RFC 8259 leaves the choice, or docs/api.md, JSON, is stricter.
OUR_VERDICTS = {
    # A repeated key is well-formed JSON, but ambiguous: it is rejected.
    "y_object_duplicated_key_and_value.json": False,
    # Nesting beyond 32 is a 400.
    "i_structure_500_nested_arrays.json": False,
    # UTF-8 without a byte order mark is the only encoding.
    "i_string_utf16LE_no_BOM.json": False,
    "i_structure_UTF-8_BOM_empty_object.json": False,
    # A lone surrogate is well-formed as an escape: the schema refuses it as a character, with the
    # field's name.
    "i_object_key_lone_2nd_surrogate.json": True,
    "i_string_1st_valid_surrogate_2nd_invalid.json": True,
    "i_string_incomplete_surrogate_and_escape_valid.json": True,
    "i_string_incomplete_surrogates_escape_valid.json": True,
    "i_string_invalid_lonely_surrogate.json": True,
    "i_string_invalid_surrogate.json": True,
    "i_string_inverted_surrogates_U+1D11E.json": True,
    "i_string_lone_second_surrogate.json": True,
    # Numbers are well-formed whatever their size: the schema refuses what is no exact integer.
    "i_number_double_huge_neg_exp.json": True,
    "i_number_huge_exp.json": True,
    "i_number_neg_int_huge_exp.json": True,
    "i_number_pos_double_huge_exp.json": True,
    "i_number_real_neg_overflow.json": True,
    "i_number_real_pos_overflow.json": True,
    "i_number_real_underflow.json": True,
    "i_number_too_big_neg_int.json": True,
    "i_number_too_big_pos_int.json": True,
    "i_number_very_big_negative_int.json": True,
    # These stand in the file with U+FFFD for the bytes that were no UTF-8, and so are plain text
    # here.
    "i_string_UTF-8_invalid_sequence.json": True,
    "i_string_UTF8_surrogate_U+D800.json": True,
    "i_string_iso_latin_1.json": True,
    "i_string_lone_utf8_continuation_byte.json": True,
    "i_string_not_in_unicode_range.json": True,
    "i_string_overlong_sequence_2_bytes.json": True,
    "i_string_overlong_sequence_6_bytes.json": True,
    "i_string_overlong_sequence_6_bytes_null.json": True,
    "i_string_truncated-utf-8.json": True,
}


def _is_read(text):
    try:
        json.loads(text.encode())
    except Malformed:
        return False
    return True


def _nested(depth):
    return b"[" * depth + b"]" * depth


def test_json_test_suite_passes():
    cases = json_cases()
    usual = {"accept": True, "reject": False}
    expected = {
        case["name"]: OUR_VERDICTS.get(case["name"], usual.get(case["expect"])) for case in cases
    }
    assert len(cases) == 159
    assert {case["name"]: _is_read(case["input"]) for case in cases} == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nul",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[1] 2",
        b"{a: 1}",
        b"// c\n{}",
        b'"\t"',
        b'"\x00"',
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x1",
        b"1_0",
        b"\x0c{}",
        b"\xc2\xa0{}",
        "\u0661".encode(),
    ],
)
def test_malformed_json_is_rejected_with_its_position(body):
    with pytest.raises(Malformed, match=r"not JSON: .* line \d+, column \d+"):
        json.loads(body)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("body", ["{}", "[{}]", '{{"pages": {}}}'])
def test_nan_and_infinity_are_rejected(body, word):
    with pytest.raises(Malformed, match=f"{word} is not JSON"):
        json.loads(body.format(word).encode())


@pytest.mark.parametrize(
    "body",
    [
        '{"title": 1, "title": 1}',
        '{"title": 1, "title": 2}',
        '[{"title": {"title": 1, "title": null}}]',
        '{"t\\u0069tle": 1, "title": 2}',
        '{"title": 1, "b": [], "title": 2}',
    ],
)
def test_a_duplicate_key_is_rejected_by_name(body):
    with pytest.raises(Malformed, match="'title' stands twice"):
        json.loads(body.encode())


def test_the_same_key_in_two_objects_is_accepted():
    assert json.loads(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}') == {
        "a": {"a": 1},
        "b": [{"a": 2}, {"a": 3}],
    }


@pytest.mark.parametrize(
    "body", [_nested(32), b'{"a":' * 31 + b"[]" + b"}" * 31, b'[{"a":' * 16 + b"1" + b"}]" * 16]
)
def test_nesting_up_to_32_levels_is_accepted(body):
    assert json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        _nested(33),
        b'{"a":' * 32 + b"[]" + b"}" * 32,
        b'[{"a":' * 17 + b"1" + b"}]" * 17,
        b"[1," * 33 + b"1" + b"]" * 33,
        _nested(5000),
        _nested(100000),
        b'[{"a":' * 100000,
    ],
)
def test_nesting_beyond_32_levels_is_rejected(body):
    with pytest.raises(Malformed, match="deeper than 32"):
        json.loads(body)


@pytest.mark.parametrize(
    "codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]
)
def test_encodings_other_than_utf_8_are_rejected(codec):
    with pytest.raises(Malformed):
        json.loads('{"title": "é"}'.encode(codec))


@pytest.mark.parametrize(
    "bytes_", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"]
)
def test_invalid_utf_8_is_rejected_with_its_position(bytes_):
    with pytest.raises(Malformed, match="not valid UTF-8 at byte 2"):
        json.loads(b'["' + bytes_ + b'"]')


def test_a_lone_escaped_surrogate_is_an_invalid_field_and_a_pair_is_a_character():
    with pytest.raises(ValidationError) as failure:
        book_schema.load(json.loads(b'{"title": "\\ud83d"}'))
    assert list(failure.value.messages) == ["title"]
    assert json.loads(b'"\\ud83d\\udcda"') == "📚"


@pytest.mark.parametrize("digits", [10**29, 2**63, 2**63 - 1, -(2**63), 0, 671])
def test_integers_are_read_exactly(digits):
    assert json.loads(str(digits).encode()) == digits
    assert type(json.loads(str(digits).encode())) is int


@pytest.mark.parametrize(
    "number",
    ["9" * 31, "9" * 5000, "9" * 500_000, "-" + "9" * 5000, "1e400", "-1e400", "1e3", "671.0"],
)
def test_unreasonable_integers_are_rejected_by_the_schema(number):
    with pytest.raises(ValidationError) as failure:
        book_schema.load(json.loads(b'{"title": "T", "pages": %s}' % number.encode()))
    assert failure.value.messages == {"pages": ["must be an integer from 1 to 100000"]}


def test_a_very_long_number_is_rejected_as_text_and_as_integer():
    assert isinstance(json.loads(b"9" * 100), Decimal)


@bounded
@given(books(texts))
def test_a_record_survives_a_round_trip(record):
    assert json.loads(json.dumps(record)) == record
    assert standard.loads(json.dumps(record)) == record


def test_fields_are_written_in_order_and_nulls_are_written():
    written = json.dumps(SPARSE)
    assert list(standard.loads(written)) == list(SPARSE)
    assert b'"subtitle":null' in written


@pytest.mark.slow
@bounded
@given(st.lists(books(), max_size=5))
def test_a_stream_is_the_document_of_all_books(records):
    assert json.loads(b"".join(json.write(records))) == {"books": records}


def test_a_stream_is_written_in_bounded_pieces_from_the_first_record_on():
    taken = []

    def records():
        for number in range(2000):
            taken.append(number)
            yield FULL

    chunks = json.write(records())
    first = next(chunks)
    assert len(taken) < 20 and len(first) < 8192
    assert max(map(len, chunks)) < 2 * json.CHUNK


def test_a_problem_is_written_as_json():
    assert json.loads(json.FORMAT.problem({"status": 404, "title": "Not Found"})) == {
        "status": 404,
        "title": "Not Found",
    }
    assert json.FORMAT.problem_type == "application/problem+json"


def test_naughty_strings_survive_a_json_round_trip_or_are_rejected():
    strings = [*big_list(), *real_titles()]
    kept = [text for text in strings if not FORBIDDEN.search(text) and clean(text)]
    assert len(strings) - len(kept) < 20 < len(kept)
    for text in kept:
        authors = [text[:400]] if clean(text[:400]) else []
        record = book_schema.load({"title": text, "authors": authors, "description": text})
        assert json.loads(json.dumps(record)) == record
        assert book_schema.load(json.loads(json.dumps(record))) == record
    for text in set(strings) - set(kept):
        with pytest.raises(ValidationError, match="title"):
            book_schema.load({"title": text})


def test_a_response_without_its_read_only_fields_can_be_sent_back():
    sent = {name: json.loads(json.dumps(FULL))[name] for name in WRITABLE}
    assert book_schema.load(sent) == sent
