"""Changes that a page of another site would send, and the media types that it may send."""

import json
import uuid

import pytest

from helpers.raw_service import table

pytestmark = pytest.mark.stress


SITES = {  # the lines, and whether the change may be made
    "no browser": ([], True),
    "same origin": (["Sec-Fetch-Site: same-origin"], True),
    "typed in": (["Sec-Fetch-Site: none"], True),
    "name in capitals": (["SEC-FETCH-SITE: same-origin"], True),
    "name in small letters": (["sec-fetch-site: same-origin"], True),
    "spaces": (["Sec-Fetch-Site: \t same-origin \t"], True),
    "our origin": (["Origin: <ORIGIN>"], True),
    "ORIGIN": (["ORIGIN: <ORIGIN>"], True),
    "cross-site": (["Sec-Fetch-Site: cross-site"], False),
    "same-site": (["Sec-Fetch-Site: same-site"], False),
    "cross-site, name in capitals": (["SEC-FETCH-SITE: cross-site"], False),
    "Cross-Site": (["sec-fetch-site: Cross-Site"], False),
    "Same-Origin": (["Sec-Fetch-Site: Same-Origin"], False),
    "empty": (["Sec-Fetch-Site:"], False),
    "nonsense": (["Sec-Fetch-Site: same-origin;x"], False),
    "two sites": (["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"], False),
    "two sites, ours last": (["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"], False),
    "a list": (["Sec-Fetch-Site: none, same-origin"], False),
    "folded": (["Sec-Fetch-Site:\r\n cross-site"], False),
    "folded behind ours": (["Sec-Fetch-Site: same-origin\r\n cross-site"], False),
    "cross-site of our origin": (["Sec-Fetch-Site: cross-site", "Origin: <ORIGIN>"], False),
    "null": (["Origin: null"], False),
    "no origin": (["Origin:"], False),
    "evil": (["Origin: http://evil.example"], False),
    "evil, name in small letters": (["origin: http://evil.example"], False),
    "evil with a referrer of ours": (["Origin: http://evil.example", "Referer: <ORIGIN>/"], False),
    "another scheme": (["Origin: ftp://<HOST>"], False),
    "another port": (["Origin: http://<HOST>9"], False),
    "our name as its beginning": (["Origin: <ORIGIN>.evil.example"], False),
    "our name as its end": (["Origin: http://evil<HOST>"], False),
    "our name as user": (["Origin: http://<HOST>@evil.example"], False),
    "a path": (["Origin: <ORIGIN>/"], False),
    "two origins": (["Origin: <ORIGIN>", "Origin: http://evil.example"], False),
    "two origins, ours last": (["Origin: http://evil.example", "Origin: <ORIGIN>"], False),
    "a list of origins": (["Origin: <ORIGIN> http://evil.example"], False),
    "folded origin": (["Origin:\r\n http://evil.example"], False),
    "an underscore": (["Origin: null", "Sec_Fetch_Site: none"], False),
}


@table(SITES, "lines", "may")
def test_a_cross_site_change_is_rejected(service, lines, may):
    title = f"Site-{uuid.uuid4().hex}"
    sent = [
        line.replace("<ORIGIN>", service.origin).replace("<HOST>", service.address.host)
        for line in lines
    ]
    answer = service.ask("POST", "/books", {"title": title}, *sent)
    assert service.titled(title) == (1 if may else 0)
    assert (
        answer.status == (201 if may else 403)
        or not may
        and not service.strict
        and answer.status == 400
    )
    if may:
        service.ask("DELETE", f"/books/{answer.json()['id']}")


JSON_TYPES = [
    "application/json",
    "APPLICATION/JSON",
    "application/json; charset=utf-8",
    "\tapplication/json",
    'application/json;charset="UTF-8"',
    "application/json  ",
    "application/json; x=text/plain",
]
# A page of another site may send the first ones without a preflight; the others look like JSON.
SIMPLE_TYPES = {
    "text": ["text/plain"],
    "a form": ["application/x-www-form-urlencoded"],
    "parts": ["multipart/form-data; boundary=x"],
    "none": [],
    "empty": [""],
    "JSON as parameter": ["text/plain; application/json"],
    "JSON as value": ["text/plain; a=application/json"],
    "capitals": ["TEXT/PLAIN"],
    "spaces": [" text/plain \t"],
    "a list": ["text/plain, application/json"],
    "two": ["text/plain", "application/json"],
    "two, JSON first": ["application/json", "text/plain"],
    "any": ["*/*"],
    "JSON and more": ["application/jsonp"],
    "no slash": ["json"],
    "a space": ["application / json"],
}
IGNORING = {"/auth/logout", "/books/{}/restore"}  # no body is read here


@pytest.fixture(scope="module")
def changing(template):
    """(method, path) of every address that changes something, `{}` for the id of a book, 777001 for
    any other.
    """
    found = []
    for rule in template.url_map.iter_rules():
        known = {name: "{}" if name == "book_id" else "777001" for name in rule.arguments} | {
            "digits": "9780306406157"
        }
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(
                "<" + path.partition("<")[2].partition(">")[0] + ">", known[name], 1
            )
        found += [
            (method, path) for method in sorted(rule.methods & {"POST", "PUT", "PATCH", "DELETE"})
        ]
    assert ("POST", "/books") in found and ("PUT", "/books/{}") in found
    return found


def send_as(service, method, path, types, *lines):
    """The answer to a JSON body of an admin, sent with these Content-Type headers."""
    body = json.dumps(
        {
            "title": "Changed",
            "username": service.user,
            "password": service.password,
            "current_password": service.password,
            "new_password": "another long password",
            "name": "a",
            "scope": "write",
        }
    ).encode()
    return service.say(
        service.head(
            method,
            path,
            f"Cookie: {service.cookie}",
            f"Content-Length: {len(body)}",
            *[f"Content-Type: {given}" for given in types],
            *lines,
        )
        + body
    )


@table(SIMPLE_TYPES, "types")
def test_a_body_of_an_unsupported_type_changes_nothing(service, victim, changing, types):
    before = service.ask("GET", "/books?limit=1").json()["total"]
    for method, path in changing:
        if method != "DELETE" and path not in IGNORING:
            answer = send_as(service, method, path.format(victim.path.rpartition("/")[2]), types)
            # A page's form is refused without its CSRF token (403).
            is_form = path.endswith(("/edit", "/delete"))
            wanted = "application/x-www-form-urlencoded" if is_form else "application/json"
            refused = answer.status == 415 and wanted in answer.get("Accept")
            refused = refused or is_form and answer.status == 403
            # An import reads multipart/form-data: this one lacks the part that is the file.
            in_parts = path == "/books/import" and answer.status == 400
            assert refused or in_parts or not service.strict and answer.status == 400, (
                method,
                path,
                answer,
            )
            assert "set-cookie" not in answer.headers
    assert victim.unharmed() and service.ask("GET", "/books?limit=1").json()["total"] == before


@pytest.mark.parametrize(
    "line", ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"]
)
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
    ],
)
def test_no_path_accepts_a_cross_site_change(service, victim, changing, line, kind):
    for method, path in changing:
        answer = send_as(service, method, path.format(victim.path.rpartition("/")[2]), [kind], line)
        assert answer.status == 403 and "set-cookie" not in answer.headers, (method, path)
    assert victim.unharmed() and service.ask("GET", "/auth/me").status == 200


@pytest.mark.parametrize("kind", JSON_TYPES)
def test_json_content_types_are_recognized_in_any_spelling(service, victim, kind):
    answer = send_as(service, "PATCH", victim.path, [kind])
    assert answer.status == 422 and b"username" in answer.body  # read, and found to be no book
    assert victim.unharmed()


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "utf-7", "x", "", "utf-8, text/plain"])
def test_json_with_another_charset_is_not_read_as_utf_8(service, victim, charset):
    assert send_as(
        service, "PATCH", victim.path, [f"application/json; charset={charset}"]
    ).status in (400, 415, 422)
    assert victim.unharmed()
