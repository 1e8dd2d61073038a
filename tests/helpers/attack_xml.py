"""XML bodies that attack a parser, one or more of each known class."""

from helpers.attack_documents import DEPTHS, MANY, valid


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
    """Wrong encoding declarations, byte order marks, NULs, and bytes that are no text."""
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
