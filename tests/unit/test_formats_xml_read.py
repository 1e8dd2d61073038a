"""XML: parsing, encodings, attacks."""

import re
import socket
import time

import pytest

from bookapi.formats import MAX_DEPTH, Invalid, Malformed, xml
from helpers.data import read_text, xml_attacks
from helpers.instance import DATA

# What each attack is refused as, read by the root element that it has itself, so that the root is
# not why.
ATTACKS = {
    "defusedxml-dtd.xml": ("html", Malformed),
    "defusedxml-external.xml": ("root", Malformed),
    "defusedxml-quadratic.xml": ("bomb", Malformed),
    "defusedxml-simple-ns.xml": ("{namespace}root", Invalid),
    "defusedxml-simple.xml": ("root", Invalid),  # attributes and mixed text
    "defusedxml-xalan_exec.xsl": ("{http://www.w3.org/1999/XSL/Transform}stylesheet", Invalid),
    "defusedxml-xmlbomb.xml": ("bomb", Malformed),
    "lxml-test_xinclude.xml": ("doc", Invalid),
    "marcxml-billion-laughs.xml": ("{http://www.loc.gov/MARC21/slim}collection", Malformed),
    "marcxml-clean.xml": ("{http://www.loc.gov/MARC21/slim}collection", Invalid),
    "marcxml-dtd-retrieval.xml": ("{http://www.loc.gov/MARC21/slim}collection", Malformed),
    "marcxml-external-entity-file.xml": ("{http://www.loc.gov/MARC21/slim}collection", Malformed),
    "marcxml-xinclude.xml": ("{http://www.loc.gov/MARC21/slim}collection", Invalid),
    "patt-classic-xxe-b64-encoded.xml": ("foo", Malformed),
    "patt-classic-xxe-etc-passwd.xml": ("data", Malformed),
    "patt-classic-xxe.xml": ("data", Malformed),
    "patt-deny-of-service-billion-laugh-attack.xml": ("data", Malformed),
    "patt-xxe-oob-attack-yunusov-2013.xml": ("data", Malformed),
    "patt-xxe-php-wrapper.xml": ("contacts", Malformed),
}
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="urn:xsd"'
QUICK = 5  # seconds: a guard against what never ends, not a measure
BOMB = (
    '<!DOCTYPE book [<!ENTITY a "lol">'
    + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=False)
    )
    + "]>"
)


def _faults(body, root="book"):
    with pytest.raises(Invalid) as failure:
        xml.loads(body.encode() if isinstance(body, str) else body, (root,))
    return failure.value.errors


# -- reading -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "read"),
    [
        ("", {}),
        ("<title>Emma</title>", {"title": "Emma"}),
        ("<title/>", {"title": None}),
        ("<title></title>", {"title": None}),
        ("<authors/>", {"authors": []}),
        ("<authors>\n </authors>", {"authors": []}),
        ("<authors>\n <author>A</author>\n <author/>\n</authors>", {"authors": ["A", None]}),
        ("<pages>671</pages><title>T</title>", {"pages": "671", "title": "T"}),
        (
            "<identifiers><identifier><value>1</value><scheme>a</scheme></identifier></identifiers>",
            {"identifiers": [{"value": "1", "scheme": "a"}]},
        ),
        ("<title>a<!-- b -->c<?d e?>f</title>", {"title": "acf"}),
        ("<title><!-- a --></title>", {"title": None}),
        ("<title><![CDATA[<a> & ]]>b<![CDATA[]]></title>", {"title": "<a> & b"}),
        ("<title>&lt;&amp;&gt;&quot;&apos;&#13;&#x1F4DA;</title>", {"title": "<&>\"'\r📚"}),
        ("<title>a\r\nb\rc</title>", {"title": "a\nb\nc"}),
        ("<title> a </title>", {"title": " a "}),
        ("<!-- a -->\n<title>T</title><!-- b -->\n<?c?>", {"title": "T"}),
        ("<rating>5</rating>", {"rating": "5"}),
        ("<title><b>T</b></title>", {"title": {"b": "T"}}),
        (
            f'<title {XSI} xsi:nil="true"/><isbn {XSI} xsi:nil="1"></isbn>',
            {"title": None, "isbn": None},
        ),
        (f'<authors {XSI} xsi:nil="true" />', {"authors": []}),
        ('<title xmlns:a="urn:x">T</title>', {"title": "T"}),
    ],
)
def test_elements_may_come_in_any_order(inner, read):
    assert xml.loads(f"<book>{inner}</book>".encode(), ("book",)) == read


@pytest.mark.parametrize(
    "body",
    [
        "<catalogue/>",
        "<Book/>",
        '<book xmlns="urn:x"/>',
        '<b:book xmlns:b="urn:x"/>',
        "<title>T</title>",
    ],
)
def test_an_unexpected_root_element_is_reported(body):
    assert _faults(body) == [
        {"pointer": "/", "detail": "the root element must be <book>, without a namespace"}
    ]


@pytest.mark.parametrize(
    ("body", "where", "detail"),
    [
        ('<book id="1"/>', {"pointer": "/"}, "attributes"),
        ('<book xml:lang="en"/>', {"pointer": "/"}, "attributes"),
        ('<book><title a="b">T</title></book>', {"field": "title"}, "attributes"),
        (
            '<book><authors><author role="x">A</author></authors></book>',
            {"field": "authors"},
            "attributes",
        ),
        ('<book><pages nil="true"/></book>', {"field": "pages"}, "attributes"),
        (f'<book {XSI}><title xsi:nil="true">T</title></book>', {"field": "title"}, "attributes"),
        (f'<book {XSI}><title xsi:nil="false"/></book>', {"field": "title"}, "attributes"),
        (f'<book {XSI}><title xsi:type="string"/></book>', {"field": "title"}, "attributes"),
        ('<b:book xmlns:b="urn:x" xmlns="urn:x"/>', {"pointer": "/"}, "root element"),
        ('<book><a:title xmlns:a="urn:x">T</a:title></book>', {}, "namespaces"),
        ('<book><title xmlns="urn:x">T</title></book>', {"field": "{urn:x}title"}, "namespaces"),
        ("<book>a<title>T</title></book>", {"pointer": "/"}, "text between"),
        ("<book><title>T</title>a</book>", {"pointer": "/"}, "text between"),
        ("<book>text alone</book>", {"pointer": "/"}, "text"),
        ("<book><title>a<b>c</b></title></book>", {"field": "title"}, "text between"),
        (
            "<book><authors>x<author>A</author></authors></book>",
            {"field": "authors"},
            "text between",
        ),
        ("<book><authors>A</authors></book>", {"field": "authors"}, "only <author>"),
        ("<book><authors><name>A</name></authors></book>", {"field": "authors"}, "only <author>"),
        (
            "<book><subjects><author>A</author></subjects></book>",
            {"field": "subjects"},
            "only <subject>",
        ),
        ("<book><title>A</title><title>A</title></book>", {"field": "title"}, "more than once"),
        ("<book><authors/><title/><authors/></book>", {"field": "authors"}, "more than once"),
        (
            "<book><identifiers><identifier><scheme>a</scheme><scheme>b</scheme></identifier></identifiers></book>",
            {"field": "identifiers"},
            "more than once",
        ),
    ],
)
def test_xml_that_json_could_not_express_is_rejected_with_its_path(body, where, detail):
    errors = _faults(body)
    assert any(error.items() >= where.items() and detail in error["detail"] for error in errors)
    assert len(errors) == 1


def test_all_errors_of_a_document_are_reported_at_once():
    errors = _faults('<book a="b"><title c="d">T</title><title/><authors>A</authors></book>')
    assert [error.get("field") for error in errors] == [None, "title", "title", "authors"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"text",
        b"<book>",
        b"<book></Book>",
        b"<book/><book/>",
        b"<book/>x",
        b"<book",
        b"</book>",
        b"<book a=b/>",
        b"<book a='1' a='2'/>",
        b"<book>&foo;</book>",
        b"<book>&</book>",
        b"<book>&#0;</book>",
        b"<book>&#xFFFE;</book>",
        b"<book>&#xD800;</book>",
        b"<book>&#x1;</book>",
        b"<book>\x00</book>",
        b"<book>\x1f</book>",
        b"<book>]]></book>",
        "<book>\ufffe</book>".encode(),
        b"<book><a:b/></book>",
        b"<book><!-- -- --></book>",
        b"<1/>",
        b" <?xml version='1.0'?><book/>",
        b"{}",
        b"\xff\xfe",
        b"\xef\xbb\xbf\xef\xbb\xbf<book/>",
        b"<book>" + b"<a>" * 100_000,
        b"<" * 100_000,
        b"<book>" + b"<!--" * 50_000,
        b"<?" * 100_000,
    ],
)
def test_xml_that_is_not_well_formed_is_malformed(body):
    started = time.perf_counter()
    with pytest.raises(Malformed):
        xml.loads(body, ("book",))
    assert time.perf_counter() - started < QUICK


@pytest.mark.parametrize(
    ("levels", "read"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (200, False), (5000, False)]
)
def test_nesting_beyond_32_levels_is_malformed(levels, read):
    body = b"<book>" + b"<a>" * (levels - 1) + b"</a>" * (levels - 1) + b"</book>"
    if read:
        assert xml.loads(body, ("book",))
    else:
        with pytest.raises(Malformed, match="nested deeper|Excessive depth"):
            xml.loads(body, ("book",))


# -- encodings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "codec", "charset"),
    [
        (None, "utf-8", None),
        (None, "utf-8-sig", None),
        ("UTF-8", "utf-8", None),
        ("utf-8", "utf-8-sig", "UTF-8"),
        (None, "utf-8", "utf-8"),
        ("UTF-16", "utf-16", None),
        ("utf-16", "utf-16", "UTF-16"),
        (None, "utf-16", None),
        ("UTF-16", "utf-16-le", None),
        ("UTF-16", "utf-16-be", None),
        ("UTF-16LE", "utf-16-le", None),
    ],
)
def test_utf_8_and_utf_16_are_read(declared, codec, charset):
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = f"{declaration}<book><title>é 📚</title></book>".encode(codec)
    assert xml.loads(body, ("book",), charset) == {"title": "é 📚"}


@pytest.mark.parametrize(
    ("declared", "codec", "charset"),
    [
        ("UTF-16", "utf-8", None),
        ("UTF-8", "utf-16", None),
        ("UTF-8", "utf-16-le", None),
        ("ISO-8859-1", "utf-8", None),
        ("ISO-8859-1", "latin-1", None),
        (None, "latin-1", None),
        (None, "latin-1", "iso-8859-1"),
        (None, "utf-8", "utf-16"),
        (None, "utf-16", "utf-8"),
        ("UTF-32", "utf-32", None),
        (None, "utf-32-be", None),
        ("UTF-7", "utf-8", None),
        ("cp037", "cp037", None),
        ("", "utf-8", None),
        ("UTF-8", "utf-8", "windows-1252"),
        (None, "utf-8", "nonsense"),
        ("US-ASCII", "utf-8", None),
    ],
)
def test_other_encodings_and_contradictory_declarations_are_malformed(declared, codec, charset):
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared is not None else ""
    with pytest.raises(Malformed):
        xml.loads(f"{declaration}<book><title>é</title></book>".encode(codec), ("book",), charset)


@pytest.mark.parametrize(
    "declaration",
    [
        "<?xml version='1.0' encoding='ISO-8859-1'?>",
        '<?xml version="1.0"\n\tencoding = "ISO-8859-1"\n?>',
        '\ufeff<?xml version="1.0" encoding="ISO-8859-1"?>',
        '\ufeff\ufeff<?xml version="1.0" encoding="ISO-8859-1"?>',
    ],
)
def test_a_declared_encoding_is_recognized_in_any_spelling(declaration):
    with pytest.raises(Malformed):
        xml.loads(f"{declaration}<book/>".encode(), ("book",))


def test_invalid_bytes_are_reported_with_their_position():
    with pytest.raises(Malformed, match="not valid UTF-8"):
        xml.loads(b"<book>\xff</book>", ("book",))


# -- attacks -----------------------------------------------------------------------------


@pytest.fixture
def trap(tmp_path):
    """A secret file and a listening socket: `set_in(text)` points every address of an attack at one
    of them.
    """
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        here = f"http://127.0.0.1:{listener.getsockname()[1]}"

        class Trap:
            @staticmethod
            def set_in(text):
                text = re.sub(
                    r"http://(www\.w3schools\.com|publicServer\.com|www\.w3\.org/TR|127\.0\.0\.1:9)",
                    here,
                    text,
                )
                return re.sub(r"file:///[\w/]+|\.\./test\.xml", secret.as_uri(), text)

            @staticmethod
            def was_sprung(outcome):
                try:
                    listener.accept()[0].close()
                except BlockingIOError:
                    return "the secret" in str(outcome)
                return True

        yield Trap


def test_every_attack_file_is_in_the_table():
    assert [path.name for path in xml_attacks()] == sorted(ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_xml_attack_is_rejected_at_once_and_nothing_is_fetched(trap, name):
    root, expected = ATTACKS[name]
    body = trap.set_in(read_text(f"xml-attacks/{name}")).encode()
    started = time.perf_counter()
    with pytest.raises(expected) as failure:
        xml.loads(body, (root,))
    assert time.perf_counter() - started < QUICK
    assert not trap.was_sprung(failure.value)


@pytest.mark.parametrize("name", ATTACKS)
def test_no_xml_attack_is_read_as_a_book(name):
    with pytest.raises((Malformed, Invalid)):
        xml.loads((DATA / "xml-attacks" / name).read_bytes(), ("book",))


@pytest.mark.parametrize(
    "before",
    [
        "",
        "<?xml version='1.0'?>",
        "\n \t",
        "<!-- a -->",
        "<?a b?>",
        "<?xml version='1.0'?>\n<!-- a --><?b c?>\n<!-- d -->",
        "\ufeff",
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_doctype_is_rejected_wherever_it_appears(codec, before):
    if before.startswith(
        "\ufeff"
    ):  # a second byte order mark must not hide it from us and show it to the parser
        before += "<?xml version='1.0'?>"
    for doctype in (
        "<!DOCTYPE book>",
        "<!DOCTYPE book SYSTEM 'x'>",
        "<!DOCTYPE book [<!ENTITY a 'b'>]>",
        BOMB,
    ):
        started = time.perf_counter()
        with pytest.raises(Malformed):
            xml.loads(f"{before}{doctype}<book><title>&i;</title></book>".encode(codec), ("book",))
        assert time.perf_counter() - started < QUICK


def test_the_word_doctype_inside_a_text_is_text():
    body = b"<book><!-- <!DOCTYPE a> --><title><![CDATA[<!DOCTYPE book>]]></title></book>"
    assert xml.loads(body, ("book",)) == {"title": "<!DOCTYPE book>"}
