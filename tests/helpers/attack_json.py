"""JSON bodies that attack a parser, one or more of each known class."""

import json

from helpers.attack_documents import DEPTHS, MANY, fields_of, valid

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
    """Invalid JSON, and very large documents."""
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
