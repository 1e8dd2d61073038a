"""Bodies that were built to break readers, one or more of each known class, and where they would
give themselves away.

Every one is made for a root element (or none, in JSON), its fields and a `Canary`: an address and a
file that no reader may ever touch.
"""

import itertools
import json
import socket

from bookapi.books.schemas import FIELDS

_BEGUN = itertools.count(1)
DEPTHS = (33, 1000, 100_000)
MANY = 20_000


class Canary:
    """A listener on this machine and a file, which the attacks name. `heard`: whether anybody came
    to the listener.
    """

    def __init__(self, folder):
        self.secret = "canary-3c1f9a"
        self.file = folder / "canary.txt"
        self.file.write_text(self.secret)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def heard(self):
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self):
        self._listener.close()


# -- documents that are as they should be ----------------------------------------------


def valid(root, password="a long enough password"):
    """A document that a route of this root element may well take; of several routes, by turns, one
    of them. An unknown root gets a bit of everything.
    """
    number = next(_BEGUN)
    known = {
        "login": [{"username": f"nobody {number}", "password": password}],
        "password": [{"current_password": password, "new_password": f"another password {number}"}],
        "user": [
            {"username": f"somebody {number}", "password": password, "role": "member"},
            {"role": "member", "active": True, "password": f"another password {number}"},
        ],
        "token": [{"name": f"a token {number}", "scope": "read"}],
        "mfa": [
            {"current_password": password, "code": "123456"},
            {"current_password": password},
            {"code": "123456"},
        ],
        "book": [
            {
                "title": "Emma",
                "authors": ["Jane Austen"],
                "published": "1815",
                "language": "en",
                "pages": 671,
                "identifiers": [{"scheme": "x", "value": "1"}],
            }
        ],
        "catalogue": [
            {"books": [{"title": "Emma"}, {"title": "Persuasion", "authors": ["Jane Austen"]}]}
        ],
    }
    documents = known.get(root, [{"name": "a", "code": "123456", "password": password}])
    return documents[number % len(documents)]


def fields_of(root):
    """The names that a document of this root may have, and one that none has."""
    more = {
        "book": FIELDS,
        "user": ("username", "password", "role", "active", "id"),
        "token": ("expires_at", "id", "secret"),
        "mfa": ("current_password", "code"),
        "login": ("code",),
    }
    return list(dict.fromkeys([*valid(root), *more.get(root, ()), "nonsense"]))


# -- XML -------------------------------------------------------------------------------


def _doctypes(root, field, canary):
    """A DOCTYPE in all its forms. Each must be a 400."""
    http, file = f"http://{canary.address}/x", canary.file.as_uri()
    ask = f"<{root}><{field}>&e;</{field}></{root}>"
    plain = f"<{root}><{field}>a</{field}></{root}>"
    for name, subset in {
        "nothing": "",
        "an internal entity": '[<!ENTITY e "expanded">]',
        "a file": f'[<!ENTITY e SYSTEM "{file}">]',
        "passwords": '[<!ENTITY e SYSTEM "file:///etc/passwd">]',
        "a device": '[<!ENTITY e SYSTEM "/dev/random">]',
        "an address": f'[<!ENTITY e SYSTEM "{http}">]',
        "ftp": f'[<!ENTITY e SYSTEM "ftp://{canary.address}/x">]',
        "a wrapper": f'[<!ENTITY e SYSTEM "php://filter/read=convert.base64-encode/resource={canary.file}">]',
        "a command": '[<!ENTITY e SYSTEM "expect://id">]',
        "a jar": f'[<!ENTITY e SYSTEM "jar:{http}!/x">]',
        "data": '[<!ENTITY e SYSTEM "data:text/plain,expanded">]',
        "public": f'[<!ENTITY e PUBLIC "x" "{http}">]',
        "a parameter entity": "[<!ENTITY % p \"<!ENTITY e 'expanded'>\"> %p;]",
        "a parameter entity outside": f'[<!ENTITY % p SYSTEM "{http}"> %p;]',
        "out of band": f'[<!ENTITY % f SYSTEM "{file}"><!ENTITY % p SYSTEM "{http}"> %p; %f;]',
        "a DTD outside": f'SYSTEM "{http}"',
        "a DTD in a file": f'SYSTEM "{file}"',
        "a public DTD": f'PUBLIC "-" "{http}"',
        "a DTD and entities": f'SYSTEM "{http}" [<!ENTITY e "a">]',
        "laughs": _laughs(),
        "a circle": _circle(),
        "a quadratic blowup": f'[<!ENTITY e "{"a" * 50_000}">]',
        "an attribute by default": _defaults(root, http),
        "a notation": f'[<!NOTATION n SYSTEM "{http}"><!ENTITY e SYSTEM "{file}" NDATA n>]',
        "a condition": f'SYSTEM "{http}" [<![INCLUDE[<!ENTITY e "a">]]>]',
        "elements": f"[<!ELEMENT {root} ANY>]",
        "many entities": "["
        + "".join(f'<!ENTITY e{at} "a">' for at in range(5000))
        + '<!ENTITY e "a">]',
    }.items():
        yield name, f"<!DOCTYPE {root} {subset}>{ask}"
    yield (
        "a blowup that is used",
        (
            f'<!DOCTYPE {root} [<!ENTITY e "{"a" * 50_000}">]>'
            f"<{root}><{field}>{'&e;' * 50_000}</{field}></{root}>"
        ),
    )
    yield "an entity in an attribute", f'<!DOCTYPE {root} [<!ENTITY e "a">]><{root} a="&e;"/>'
    for name, before in {
        "a declaration": '<?xml version="1.0"?>',
        "white space": "\r\n\t " * 20_000,
        "a comment": "<!-- a -->" * 5000,
        "an instruction": "<?a <!-- ?>",
        "a tricky comment": "<!-- <a> ?> -->",
        "a mark": "\ufeff",
    }.items():
        yield f"behind {name}", f"{before}<!DOCTYPE {root}>{plain}"
    yield "in small letters", f"<!doctype {root}>{plain}"
    yield "of another name", f'<!DOCTYPE html [<!ENTITY e "a">]>{plain}'


def _laughs():
    steps = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">' for at in range(1, 10))
    return f'[<!ENTITY e0 "ha">{steps}<!ENTITY e "&e9;">]'


def _circle():
    return '[<!ENTITY e "&f;"><!ENTITY f "&e;">]'


def _defaults(root, http):
    return f'[<!ATTLIST {root} xmlns:xi CDATA "http://www.w3.org/2001/XInclude" a CDATA "{http}">]'


def _elements(root, field, canary):
    """What is wrong with elements, names, attributes, namespaces and instructions."""
    http, file, xsi = (
        f"http://{canary.address}/x",
        canary.file.as_uri(),
        "http://www.w3.org/2001/XMLSchema-instance",
    )

    def document(inner="a", attributes="", before="", behind=""):
        return f"{before}<{root}{attributes}><{field}>{inner}</{field}></{root}>{behind}"

    include = 'xmlns:xi="http://www.w3.org/2001/XInclude"'
    yield "XInclude of text", document(f'<xi:include {include} parse="text" href="{file}"/>')
    yield (
        "XInclude of passwords",
        document(f'<xi:include {include} parse="text" href="file:///etc/passwd"/>'),
    )
    yield (
        "XInclude from elsewhere",
        document(f'<xi:include {include} href="{http}"/>', f" {include}"),
    )
    yield (
        "XInclude with a fallback",
        document(f'<xi:include {include} href="{http}"><xi:fallback/></xi:include>'),
    )
    yield "a stylesheet", document(before=f'<?xml-stylesheet type="text/xsl" href="{http}"?>')
    yield "a stylesheet within", document(f'<?xml-stylesheet type="text/xsl" href="{file}"?>')
    yield (
        "XSLT",
        (
            f'<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
            f"<xsl:include "
            f'href="{http}"/><xsl:value-of select="document(\'{file}\')"/></xsl:stylesheet>'
        ),
    )
    yield (
        "a schema",
        document(attributes=f' xmlns:xsi="{xsi}" xsi:noNamespaceSchemaLocation="{http}"'),
    )
    yield (
        "a schema of a namespace",
        document(attributes=f' xmlns:xsi="{xsi}" xsi:schemaLocation="urn:x {http}"'),
    )
    yield "a nil", document(attributes=f' xmlns:xsi="{xsi}" xsi:nil="true"')
    yield "a base", document(attributes=f' xml:base="{http}" xml:space="preserve" xml:lang="x"')
    yield "a namespace", document(attributes=' xmlns="urn:x"')
    yield "a prefix that is not declared", f"<a:{root}/>"
    yield "a prefix that is declared twice", f'<{root} xmlns:a="u" xmlns:a="v"/>'
    yield "the prefix xmlns", f'<{root} xmlns:xmlns="u"/>'
    yield "a long attribute", document(attributes=f' a="{"x" * 900_000}"')
    yield "a long name of an attribute", document(attributes=f' {"x" * 900_000}=""')
    yield "a long name", f"<{'x' * 450_000}></{'x' * 450_000}>"
    yield "a long name of a field", f"<{root}><{'x' * 450_000}/></{root}>"
    yield "a long prefix", f"<{root}><{'x' * 400_000}:a/></{root}>"
    yield "a long namespace", document(attributes=f' xmlns:a="{"x" * 900_000}"')
    yield "many attributes", document(attributes="".join(f' a{at}=""' for at in range(MANY)))
    yield "an attribute twice", document(attributes=' a="" a=""')
    yield (
        "many namespaces",
        document("<a/>" * MANY, "".join(f' xmlns:a{at}="u"' for at in range(1000))),
    )
    yield (
        "namespaces in each other",
        "".join(f'<a xmlns="u{at}">' for at in range(1000)) + "</a>" * 1000,
    )
    for depth in DEPTHS:
        yield f"{depth} levels", "<a>" * depth + "</a>" * depth
        yield f"{depth} levels in a field", document("<a>" * depth + "</a>" * depth)
        yield f"{depth} levels without an end", f"<{root}>" * depth
    yield "many fields", f"<{root}>" + "".join(f"<a{at}/>" for at in range(MANY)) + f"</{root}>"
    yield "a field twice", f"<{root}><{field}>a</{field}><{field}>b</{field}></{root}>"
    yield "a field many times", f"<{root}>" + f"<{field}>a</{field}>" * MANY + f"</{root}>"
    yield "text between fields", f"<{root}>a<{field}>b</{field}>c</{root}>"
    yield "many texts between fields", f"<{root}>" + "a<b/>" * MANY + f"</{root}>"
    yield "many instructions", document(before="<?a b?>" * MANY, inner="<?a b?>" * MANY)
    yield "a long instruction", document(before=f"<?a {'x' * 900_000}?>")
    yield "an instruction named xml", document(inner="<?xml version='1.0'?>")
    yield "many comments", document("<!---->" * MANY, before="<!-- a -->" * MANY)
    yield "a comment without an end", document(before="<!--" + "-" * 900_000)
    yield "CDATA", document("<![CDATA[<script>&e;]]>")
    yield "many CDATA", document("<![CDATA[a]]>" * 2 * MANY)
    yield "a long CDATA", document(f"<![CDATA[{'<' * 900_000}]]>")
    yield "CDATA in CDATA", document("<![CDATA[<![CDATA[" * 1000 + "]]>")
    yield "CDATA without an end", document("<![CDATA[" + "]" * 900_000)
    yield "many references", document("&lt;" * 100_000)
    yield "many references to characters", document("&#13;" * 100_000)
    for reference in (
        "e",
        "#0",
        "#xD800",
        "#xFFFF",
        "#x110000",
        "#" + "9" * 5000,
        "#x" + "f" * 5000,
        "#",
        "",
        "a" * 100_000,
    ):
        yield f"a reference {reference[:10]}", document(f"&{reference};")
    yield "two roots", document(behind=f"<{root}/>")
    yield "text behind", document(behind="x" * 100_000)
    yield "only an end", f"</{root}>"
    yield "ends crosswise", f"<{root}><a><b></a></b></{root}>"
    yield "no end", f"<{root}><{field}>" + "a" * 900_000
    yield "a root in capitals", f"<{root.upper()}/>"
    yield (
        "a root that is a problem",
        '<problem xmlns="urn:ietf:rfc:7807"><status>200</status></problem>',
    )
    yield "less and less", "<" * 900_000
    yield "no name", "< >"


def _encodings(root, field, canary):
    """Lies about the encoding, marks, NULs, and bytes that are no text."""
    plain = f"<{root}><{field}>é</{field}></{root}>"
    evil = (
        f'<!DOCTYPE {root} [<!ENTITY e SYSTEM "{canary.file.as_uri()}">]>'
        f"<{root}><{field}>&e;</{field}></{root}>"
    )

    def declared(encoding, text=plain):
        return f'<?xml version="1.0" encoding="{encoding}"?>{text}'

    for said in (
        "UTF-7",
        "utf-16",
        "UTF-16LE",
        "utf-32",
        "ISO-8859-1",
        "US-ASCII",
        "windows-1252",
        "Shift_JIS",
        "EBCDIC-CP-US",
        "punycode",
        "rot13",
        "zlib",
        "base64",
        "idna",
        "unicode_escape",
        "../../etc/passwd",
        "",
        "x" * 50_000,
        "utf8",
    ):
        yield f"said to be {said[:20]}", declared(said).encode()
    for real in (
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-32-le",
        "utf-7",
        "cp037",
        "cp500",
        "latin-1",
        "shift_jis",
    ):
        for name, text in {
            "bare": plain,
            "said": declared(real),
            "said to be UTF-8": declared("utf-8"),
            "evil": evil,
            "evil and said": declared(real, evil),
        }.items():
            yield f"{real} {name}", text.encode(real, "replace")
    mark = b"\xef\xbb\xbf"
    yield "a mark", mark + plain.encode()
    yield "two marks", mark * 2 + plain.encode()
    yield "a mark and another encoding", mark + declared("utf-16").encode()
    yield "a mark alone", mark
    yield "the other marks alone", b"\xff\xfe"
    yield "a mark of one and text of the other", b"\xff\xfe" + plain.encode()
    yield "half a pair of UTF-16", (plain.encode("utf-16-le"))[:-1]
    yield "UTF-7 in disguise", b"+ADw-" + root.encode() + b"+AD4-+ADwAIQ-DOCTYPE"
    for name, text in {
        "NUL": b"\0",
        "many NULs": b"\0" * 100_000,
        "overlong": b"\xc0\xbc\xe0\x80\xbc",
        "a surrogate": b"\xed\xa0\x80",
        "a pair of surrogates": b"\xed\xa0\xbd\xed\xb3\x9a",
        "beyond Unicode": b"\xf4\x90\x80\x80",
        "a cut letter": b"\xe2\x82",
        "no letters": b"\xff\xfe\xfd",
        "U+FFFF": b"\xef\xbf\xbf",
        "a control character": b"\x1b[2J\x08",
        "U+0085": b"\xc2\x85",
    }.items():
        start = b"<%b>" % root.encode()
        yield f"{name} in a text", plain.encode().replace("é".encode(), text)
        yield f"{name} in a name", start + b"<" + text + b"/>"
        yield f"{name} before", text + plain.encode()
        yield f"{name} behind", plain.encode() + text
    for version in ("1.1", "2.0", "9" * 5000, "", "1.0' encoding='utf-7"):
        yield f"version {version[:5]}", f'<?xml version="{version}"?>{plain}'.encode()
    yield "a declaration without an end", b"<?xml " + b" encoding " * 50_000
    yield "a declaration that is late", b" " + declared("utf-8").encode()
    yield "two declarations", declared("utf-8", declared("utf-8")).encode()
    yield "standalone", f'<?xml version="1.0" standalone="maybe"?>{plain}'.encode()
    for name, body in {
        "nothing": b"",
        "a space": b" ",
        "many spaces": b" " * 900_000,
        "JSON": b"{}",
        "a JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF",
        "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
        "all bytes": bytes(range(256)) * 100,
    }.items():
        yield name, body


def in_xml(root, canary):
    """(class, body) of each attack in XML on a document of this root."""
    field = next(iter(valid(root)))
    for make in (_doctypes, _elements, _encodings):
        for name, body in make(root, field, canary):
            yield f"{make.__name__[1:]}: {name}", body.encode() if isinstance(body, str) else body


# -- JSON ------------------------------------------------------------------------------

NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "1E999999999",
    "1e-999999999",
    "-0",
    "-0.0",
    "0.1",
    "1e3",
    "1999.9",
    "9" * 30,
    "9" * 31,
    "9" * 100_000,
    "-" + "9" * 5000,
    "0." + "1" * 100_000,
    "1" + "0" * 400 + ".5",
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
    "1_999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "\u0663",
    "--1",
    "1e",
    "1e+",
    "nan",
    "inf",
)
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    671.5,
    2**63,
    "",
    "a",
    "\0",
    "\ud800",
    [],
    [None],
    [[]],
    ["a"],
    [1],
    {},
    {"a": 1},
    {"": ""},
    [{"scheme": 1, "value": None}],
    {"scheme": "a", "value": "b"},
    "x" * 30_000,
    ["a"] * 200,
    [{}] * 100,
)


def _texts(root):
    """What is no JSON, or is more than anybody needs."""
    field = json.dumps(next(iter(valid(root))))
    whole = json.dumps(valid(root))
    for depth in DEPTHS:
        for name, opening, closing in (
            ("lists", "[", "]"),
            ("objects", '{"a":', "}"),
            ("both", '[{"a":', "}]"),
        ):
            inner = "1" if closing != "]" else ""
            yield f"{depth} {name}", opening * depth + inner + closing * depth
            yield (
                f"{depth} {name} in a field",
                f"{{{field}: {opening * depth}{inner}{closing * depth}}}",
            )
            yield f"{depth} {name} without an end", opening * depth
            yield f"{depth} {name} that only end", closing * depth
    for at, number in enumerate(NUMBERS):
        yield f"number {at}", f"{{{field}: {number}}}"
        yield f"number {at} alone", number
    yield "a key twice", f"{{{field}: 1, {field}: 2}}"
    yield "a key twice, written otherwise", f'{{"title": "a", "\\u0074itle": "b", {field}: 1}}'
    yield "a key many times", "{" + ",".join([f"{field}: 1"] * MANY) + "}"
    yield "many keys", "{" + ",".join(f'"{at}": 0' for at in range(MANY)) + "}"
    yield (
        "many keys and one twice",
        "{" + ",".join(f'"{at % (MANY - 1)}": 0' for at in range(MANY)) + "}",
    )
    yield "a long key", f'{{"{"x" * 900_000}": 1}}'
    yield "a long key of escapes", '{"' + "\\u0061" * 100_000 + '": 1}'
    yield "no key", '{"": ""}'
    for key in (
        "__proto__",
        "constructor",
        "prototype",
        "__class__",
        "__init__",
        "$where",
        "$gt",
        "toString",
        "hasOwnProperty",
        "self",
        "id",
        "role",
        "is_admin",
        "admin",
        "_sa_instance_state",
        "password_hash",
        "metadata",
        "\0",
        "\ud800",
        "../x",
        "a" * 5000,
    ):
        yield (
            f"the key {key[:20]!r}",
            json.dumps({**valid(root), key: {"admin": True, "role": "admin"}}),
        )
        yield f"the key {key[:20]!r} with a text", json.dumps({**valid(root), key: "admin"})
    for name, text in {
        "a comma behind": f"{{{field}: 1,}}",
        "a comma in a list": "[1,]",
        "only commas": "[,,,]",
        "a comment": f"/* a */ {whole}",
        "a line comment": f"{whole} // a",
        "single quotes": whole.replace('"', "'"),
        "no quotes": "{title: 1}",
        "a call": f"f({whole})",
        "a guard": f")]}}',\n{whole}",
        "two": whole * 2,
        "two lines": f"{whole}\n{whole}",
        "more behind": f"{whole} x",
        "no colon": '{"a" 1}',
        "spaces": " " * 900_000,
        "spaces around": " " * 400_000 + whole + "\n" * 400_000,
        "another space": f"\xa0{whole}",
        "a form feed": f"\f{whole}",
        "a control character": '{"title": "\x01"}',
        "a tab in a text": '{"title": "a\tb"}',
        "a NUL in a text": '{"title": "a\0b"}',
        "a NUL behind": whole + "\0",
        "a bad escape": '{"title": "\\x41"}',
        "half an escape": '{"title": "\\u12"}',
        "a lone surrogate": '{"title": "\\ud800", ' + f"{field}" + ': "\\udc00"}',
        "surrogates turned round": f'{{{field}: "\\udc00\\ud800"}}',
        "an escaped NUL": f'{{{field}: "\\u0000"}}',
        "many escapes": f'{{{field}: "{chr(92)}u0041{chr(92)}n"}}',
        "a long text": f'{{{field}: "{"x" * 900_000}"}}',
        "a long text of accents": f'{{{field}: "a{chr(0x315) + chr(0x300)}"}}'.replace(
            "\u0315\u0300", "\u0315\u0300" * 15_000
        ),
        "a text that grows when composed": f'{{{field}: "{chr(0xFDFA) * 20_000}"}}',
        "a text without an end": '{"title": "' + "a" * 900_000,
        "backslashes": f'{{{field}: "' + "\\\\" * 100_000 + '"}',
        "many small lists": f"{{{field}: [" + "[]," * 50_000 + "[]]}",
        "many nulls": f"{{{field}: [" + "null," * 100_000 + "null]}",
        "many items": json.dumps({"authors": ["a"] * MANY, "books": [1] * 5000}),
        "many books": json.dumps({"books": [{}] * 1500}),
        "a book in a book": json.dumps({"books": [{"books": [{"books": []}]}]}),
        "True": "True",
        "None": "None",
        "undefined": "undefined",
        "nothing": "",
        "a quote": '"',
        "a brace": "{",
        "XML": f"<{root}/>",
        "a formula": "=1+1",
    }.items():
        yield name, text
    for at in range(1, len(whole), 7):
        yield f"cut at {at}", whole[:at]


def _bytes(root):
    """Encodings that are not UTF-8, and marks."""
    whole = json.dumps(valid(root))
    for encoding in (
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-32-be",
        "utf-7",
        "cp037",
    ):
        yield f"in {encoding}", whole.encode(encoding)
    for name, text in {
        "overlong": b"\xc0\xa2",
        "a surrogate": b"\xed\xa0\x80",
        "beyond Unicode": b"\xf4\x90\x80\x80",
        "cut": b"\xe2\x82",
        "no letters": b"\xff\xfe",
        "U+FFFF": b"\xef\xbf\xbf",
        "a mark": b"\xef\xbb\xbf",
    }.items():
        yield f"{name} in a text", b'{"title": "%b", "username": "%b"}' % (text, text)
        yield f"{name} in a key", b'{"%b": 1}' % text
        yield f"{name} before", text + whole.encode()
        yield f"{name} behind", whole.encode() + text
    yield "all bytes", bytes(range(256)) * 100


def _types(root):
    """Each wrong value at the root, in each field by itself, and in all of them."""
    for at, value in enumerate(VALUES):
        yield f"value {at} as the root", json.dumps(value)
        yield f"value {at} everywhere", json.dumps(dict.fromkeys(fields_of(root), value))
        for field in fields_of(root):
            yield f"value {at} as {field}", json.dumps({**valid(root), field: value})


def in_json(root, canary):
    """(class, body) of each attack in JSON on a document of this root."""
    for make in (_texts, _bytes, _types):
        for name, body in make(root):
            yield (
                f"{make.__name__[1:]}: {name}",
                body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body,
            )


# -- strings ---------------------------------------------------------------------------

STRINGS = (
    "' OR 1=1 --",
    "'; DROP TABLE users; --",
    '" OR ""="',
    "1; SELECT pg_sleep(9)",
    "admin'/*",
    "\\' OR 1=1",
    "' UNION SELECT NULL,NULL --",
    "a' AND (SELECT 1 FROM (SELECT(SLEEP(9)))x) --",
    "%' OR '%'='",
    "1 OR 1=1",
    "';waitfor delay '0:0:9'--",
    "0x27",
    "\u02bc OR 1=1",
    "\xbf' OR 1=1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "<svg/onload=alert(1)>",
    "]]><script>",
    "--><b>",
    "&lt;b&gt;",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "%2e%2e%2f",
    "%252e%252e",
    "..%c0%af",
    "a\0.txt",
    "con",
    "~root",
    "{0.__class__.__mro__}",
    "{}",
    "{title}",
    "%s%s%s%n",
    "%(password)s",
    "%x" * 50,
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "${jndi:ldap://127.0.0.1:9/a}",
    "{{ config.SECRET_KEY }}",
    "__import__('os').system('id')",
    "$(id)",
    "`id`",
    "; id",
    "| id",
    "&& id",
    "\n/bin/id",
    "-rf",
    "--help",
    "() { :; }; id",
    "a\r\nSet-Cookie: a=b",
    "a\nX: y",
    "%0d%0aX: y",
    "a\u2028b",
    "a\u2029b",
    "\u0085",
    "a\u560d\u560ab",
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "=cmd|' /C calc'!A0",
    "'=1",
    "|=1",
    "\u202eevil",
    "\u2066a\u2069",
    "a\u200bb",
    "\u200d",
    "\ufeff",
    "\u00ad",
    "\u180e",
    "\u2800",
    "\u3164",
    "\u0430dmin",
    "ADMIN",
    "admin ",
    "\uff41\uff44min",
    "\ufb01",
    "\u0130",
    "\xdf",
    "\u2126",
    "\u1e9b\u0323",
    "e\u0301" * 50,
    "a" + "\u0300" * 500,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0010ffff",
    "\U0001d538",
    "Z\u0351\u036b\u0343" * 20,
    "null",
    "None",
    "nil",
    "undefined",
    "NaN",
    "Infinity",
    "true",
    "0",
    "-1",
    "1e309",
    "9" * 50,
    "1/0",
    "0x0",
    "1,5",
    "",
    " ",
    "\u3000",
    "2024-02-30",
    "9999-99-99",
    "0000",
    "-0001",
    "1970-01-01T00:00:00Z",
    "2024-01-01T00:00:00+99:99",
    "http://[::1",
    "http://a:99999/",
    "//evil.example",
    "data:,",
    "a" * 65,
    "a" * 129,
    "a" * 2001,
    "a" * 20_001,
    "aA1!" * 8,
    "\ud800",
    "\udfff\ud800",
    "\x07",
    "\x1b[2J",
    "\x7f",
    "\ufffe",
    "\uffff",
)
