"""Parsers of all formats on random bytes: data, Malformed or Invalid, and nothing else.

`FUZZ_CASES` is the number of inputs for each parser. They are reproducible unless FUZZ_SEED is set.
"""

import io
import json as standard
import os
import time
from decimal import Decimal
from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from lxml import etree

from bookapi.formats import MAX_DEPTH, MAX_FIELDS, Invalid, Malformed, by_name
from helpers.inventions import FULL, SPARSE

CASES, SEED = int(os.environ.get("FUZZ_CASES", "500")), int(os.environ.get("FUZZ_SEED", "5"))
SECONDS = 1  # for an input of a few kilobytes: a guard against what never ends, not a measure
ROOTS = ("book", "catalogue")
LIST = {"books": [FULL, SPARSE]}


def fuzz(test):
    """Many inputs, the same for the same seed."""
    bounded = settings(
        max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    return bounded(seed(SEED)(test))


# -- what is read ----------------------------------------------------------------------


def _valid():
    """Documents of each format as it writes them, whole and as a stream."""
    for name in ("json", "xml"):
        module = by_name(name)
        for root, document in (("book", FULL), ("book", SPARSE), ("catalogue", LIST)):
            yield name, module.dumps(document, root)
    for name in ("json", "xml", "csv", "jsonl"):
        yield name, b"".join(by_name(name).write(LIST["books"], tuple(FULL)))


VALID = list(_valid())
XML_PARTS = [
    "<",
    ">",
    "/",
    "</",
    "/>",
    "<book>",
    "</book>",
    "<catalogue>",
    "</catalogue>",
    "<books>",
    "</books>",
    "<title>",
    "</title>",
    "<authors>",
    "</authors>",
    "<author>",
    "</author>",
    "<a/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    '<?xml version="1.0"?>',
    '<?xml version="1.0" encoding="utf-16"?>',
    "<!DOCTYPE book>",
    "<!DOCTYPE",
    "&",
    ";",
    "&amp;",
    "&#",
    "&#13;",
    "&#x",
    "&e;",
    " xmlns='u'",
    " xmlns:a='u'",
    "a:",
    " a='b'",
    "xml:lang",
    "=",
    "'",
    '"',
    " ",
    "\n",
    "\t",
    "\r",
    "a",
    "1",
    "é",
    "📚",
    "\u2028",
    "\x85",
    "\0",
    "\x0b",
    "\ufffe",
    "\ufeff",
    "-",
    "--",
    "]",
    "!",
]
JSON_PARTS = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    '"a"',
    '"books"',
    '"title"',
    '"a":',
    '{"books":[',
    "]}",
    "{}",
    "[]",
    "null",
    "true",
    "false",
    "NaN",
    "-Infinity",
    "1",
    "-",
    "0",
    "9" * 40,
    "1e9",
    ".5",
    "e",
    "+",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\n",
    "\\x",
    "'",
    " ",
    "\n",
    "\t",
    "\r",
    "\f",
    "é",
    "📚",
    "\ufeff",
    "\x00",
    "\x1f",
    "\x7f",
    "//",
    "/*",
    "__proto__",
    "[" * 33,
    "]" * 33,
]
CSV_PARTS = [
    ",",
    ";",
    "\t",
    '"',
    '""',
    "\n",
    "\r",
    "\r\n",
    "'",
    "=1",
    "title",
    "isbn",
    "authors",
    " | ",
    "\\|",
    "a",
    "é",
    "\ufeff",
    "\0",
    " ",
    "📚",
    "\x0b",
    "\x1c",
    "\u2028",
    "title,isbn\n",
    '"a\n',
] + ["x" * 50]
PARTS = {"xml": XML_PARTS, "json": JSON_PARTS, "jsonl": JSON_PARTS, "csv": CSV_PARTS}
BYTES = [
    b"\xff",
    b"\xfe",
    b"\xff\xfe",
    b"\xc0\xbc",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\x80",
]


def _mutated(random, name):
    """A document that is right but for a few places: bytes changed, left out, doubled, or grammar
    where it is wrong.
    """
    body = random.choice([body for of, body in VALID if of == name])
    for _ in range(random.randint(1, 4)):
        at, length = random.randint(0, len(body)), random.choice([0, 1, 1, 2, 7, 40, 400])
        cut = body[at : at + length]
        body = (
            body[:at]
            + random.choice([_piece, _nothing, _twice, _flipped])(random, name, cut)
            + body[at + length :]
        )
    return body


def _piece(random, name, cut):
    return random.choice(
        [
            *BYTES,
            random.choice(PARTS[name]).encode(),
            random.choice(PARTS[name]).encode(),
            random.randbytes(3),
        ]
    )


def _nothing(random, name, cut):
    return b""


def _twice(random, name, cut):
    return cut * 2


def _flipped(random, name, cut):
    return bytes(byte ^ 1 << random.randrange(8) for byte in cut[:1]) + cut[1:]


def _composed(random, name):
    """Grammar in any order, in any encoding."""
    text = "".join(random.choices(PARTS[name], k=random.randint(0, 40)))
    return text.encode(random.choice(["utf-8"] * 6 + ENCODINGS), "replace")


def _tree(random, name):
    """A document whose form is right, with any names and values at any place."""
    if name == "xml":
        inner = "".join(_element(random, 4) for _ in range(random.randint(0, 5)))
        around = random.choice(["<book>{}</book>", "<catalogue><books>{}</books></catalogue>"])
        return around.format(inner).encode()
    if name == "csv":
        rows = [
            [_word(random) for _ in range(random.randint(1, 4))]
            for _ in range(random.randint(0, 5))
        ]
        return "\n".join(",".join(row) for row in rows).encode()
    values = [
        standard.dumps(_value(random, 4), ensure_ascii=random.random() < 0.5) for _ in range(3)
    ]
    text = (
        "\n".join(values)
        if name == "jsonl"
        else random.choice(["{}", '{{"books": [{}]}}', "[{}]"]).format(values[0])
    )
    return text.encode("utf-8", "replace")


def _element(random, levels):
    if not levels or random.random() < 0.3:
        return random.choice(
            ["", "a", " ", "&lt;", "<!-- a -->", "<![CDATA[<]]>", "&#233;", "<?a?>"]
        )
    inner = "".join(_element(random, levels - 1) for _ in range(random.randint(0, 4)))
    name = random.choice(NAMES)
    return f"<{name}{random.choice(ATTRIBUTES)}>{inner}</{name}>"


def _word(random):
    return "".join(random.choices("aé📚 ,\"\t|\\:='1", k=random.randint(0, 5)))


def _value(random, levels):
    kind = random.randrange(4 if levels else 2)
    if kind == 0:
        return _word(random)
    if kind == 1:
        return random.choice([None, True, 0, -1, 2**64, 1.5, 1e300, "", "9780306406157", "1999"])
    inner = [_value(random, levels - 1) for _ in range(random.randint(0, 4))]
    return inner if kind == 2 else dict(zip(random.sample(list(FULL), 5), inner, strict=False))


def _noise(random, name):
    return random.randbytes(random.randint(0, 60))


ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-7", "latin-1"]
NAMES = [
    "book",
    "title",
    "authors",
    "author",
    "identifiers",
    "identifier",
    "scheme",
    "books",
    "pages",
    "x",
]
ATTRIBUTES = [""] * 9 + [" a='b'", " xmlns='u'"]
KINDS = [_mutated] * 5 + [_composed] * 3 + [_tree] * 3 + [_noise]


def _invented(number, name):
    random = Random(number)
    return random.choice(KINDS)(random, name)


def inputs(name):
    """Anything that a reader of this format may be given. Made of one number each: to draw every
    byte by itself takes Hypothesis ten times as long as the reading.
    """
    return st.integers(0, 2**64 - 1).map(partial(_invented, name=name))


# -- what comes out --------------------------------------------------------------------


def _plain(data, depth=0):
    """Fails for what is no plain data, or is nested too deep."""
    assert depth <= MAX_DEPTH, "nested too deep"
    if isinstance(data, dict):
        assert all(type(key) is str for key in data)
        data = list(data.values())
    if type(data) is list:
        for inner in data:
            _plain(inner, depth + 1)
    else:
        assert data is None or type(data) in (str, int, float, bool, Decimal), type(data)


def _once(read):
    """What a reader says: its data, or which of the two errors and its words."""
    begun = time.process_time()
    try:
        reported = read()
    except Invalid as error:
        assert error.errors and all(error["detail"] for error in error.errors)
        reported = ("Invalid", str(error))
    except Malformed as error:
        assert str(error)
        reported = ("Malformed", str(error))
    else:
        _plain(reported)
        reported = ("data", repr(reported))
    assert time.process_time() - begun < SECONDS
    return reported


def _check(read):
    """The verdict of a reader, which must be the same each time."""
    first = _once(read)
    assert _once(read) == first
    return first


def _streamed(module, body, encoding):
    """The records of a stream, or the words of what is wrong with each."""
    lines, records = [], []
    rows = module.table(io.BytesIO(body), *encoding).rows if module.can("table") else None
    for line, record in module.read(io.BytesIO(body), *encoding) if rows is None else rows:
        # JSON and XML are no formats of lines: their records have a number alone.
        assert (line is None) == (module.name in ("json", "xml"))
        assert isinstance(record, (dict, list, Malformed, Invalid))
        assert line is None or not lines or line >= lines[-1] >= 1
        lines.append(line)
        records.append(str(record) if isinstance(record, Exception) else record)
    return records


@fuzz
@given(inputs("json"))
def test_any_json_is_read_like_the_standard_library_or_rejected(body):
    kind, reported = _check(partial(by_name("json").loads, body))
    assert kind == "Malformed" or reported == repr(standard.loads(body)) or "Decimal" in reported


@fuzz
@given(inputs("xml"), st.sampled_from([None, None, None, "utf-8", "UTF-16", "latin-1", "x"]))
def test_any_malformed_xml_and_any_doctype_is_rejected(body, charset):
    kind, reported = _check(partial(by_name("xml").loads, body, ROOTS, charset))
    assert kind != "data" or etree.fromstring(body).tag in ROOTS
    for begin in (b"<!DOCTYPE book [<!ENTITY e 'a'>]>", b" <!-- a --><!doctype book>"):
        with pytest.raises(Malformed):
            by_name("xml").loads(begin + body, ROOTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["json", "xml", "jsonl", "csv"])
def test_any_stream_gives_records_or_is_rejected(name):
    @fuzz
    @given(
        inputs(name),
        st.sampled_from([(), (), ("utf-8",), ("utf-16",), ("cp1252",), ("shift_jis",), ("ascii",)]),
    )
    def check(body, encoding):
        _check(partial(_streamed, by_name(name), body, encoding))

    check()


def _depth(data):
    level, depth = [data], 0
    while any(isinstance(outer, (dict, list)) for outer in level):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
    return depth


NESTED = st.recursive(
    st.sampled_from(["1", '"[{"', r'"\"[["', r'"\\"', "null", '"]}"', "[]", "{}"]),
    lambda inner: st.one_of(
        st.builds("[{}]".format, inner),
        st.builds("[{},{}]".format, inner, inner),
        st.builds('{{"[\\\\":{}}}'.format, inner),
        st.builds(lambda text, times: "[" * times + text + "]" * times, inner, st.integers(25, 34)),
    ),
    max_leaves=20,
)


@pytest.mark.slow
@fuzz
@given(NESTED)
def test_a_document_is_too_deep_exactly_at_the_limit(text):
    expected = _depth(standard.loads(text))
    try:
        reported = _depth(by_name("json").loads(text.encode()))
    except Malformed as error:
        assert "nested deeper" in str(error) and expected > MAX_DEPTH
    else:
        assert reported == expected <= MAX_DEPTH


# -- what there is too much of ---------------------------------------------------------


def _object(number):
    return standard.dumps(dict.fromkeys(map("a{}".format, range(number)))).encode()


def _fields(number):
    return b"<book>%b</book>" % b"".join(b"<a%d/>" % at for at in range(number))


@pytest.mark.parametrize("name, make", [("json", _object), ("xml", _fields)])
def test_too_many_fields_are_malformed(name, make):
    assert len(by_name(name).loads(make(MAX_FIELDS), ("book",))) == MAX_FIELDS
    with pytest.raises(Malformed, match=f"more than {MAX_FIELDS}"):
        by_name(name).loads(make(MAX_FIELDS + 1), ("book",))


@pytest.mark.parametrize(
    "name, make, around",
    [
        ("json", _object, b'{"books": [%b, {"title": "a"}]}'),
        ("xml", _fields, b"<catalogue><books>%b<book><title>a</title></book></books></catalogue>"),
    ],
)
def test_a_stream_record_with_too_many_fields_is_reported_and_the_next_one_read(name, make, around):
    (_, first), (_, second) = by_name(name).read(io.BytesIO(around % make(MAX_FIELDS + 1)))
    assert isinstance(first, Malformed) and second == {"title": "a"}


def test_a_list_of_too_many_items_is_malformed():
    with pytest.raises(Malformed, match="more than 1000 children"):
        by_name("xml").loads(b"<book><authors>%b</authors></book>" % (b"<author/>" * 1_001), ROOTS)


@pytest.mark.parametrize("root", [b"login", b"book"])
def test_too_many_tags_are_malformed(root):
    body = b"<%b>%b</%b>" % (root, b"<!---->" * 9_990, root)
    assert by_name("xml").loads(body, (root.decode(),)) == {}
    with pytest.raises(Malformed, match="more than 10000 tags"):
        by_name("xml").loads(b"<!---->" * 20 + body, (root.decode(),))
