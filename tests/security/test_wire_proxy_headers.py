"""Forwarding headers: the trusted proxy decides, other clients do not."""

import uuid

import pytest

from helpers.raw_service import HOST, table

pytestmark = pytest.mark.stress


FORWARDING = {
    line.partition(":")[0] + f" {number}": line
    for number, line in enumerate(
        [
            "X-Forwarded-For: 203.0.113.9",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Proto: ftp",
            "X-Forwarded-Proto: https, http",
            "X-Forwarded-Host: evil.example",
            "X-Forwarded-Host: a b",
            "X-Forwarded-Port: 99",
            "X-Forwarded-Port: x, y",
            "X-Forwarded-Prefix: /evil.example",
            "X-Forwarded-By: evil.example",
            "X-Forwarded-Server: evil.example",
            "X-Forwarded-Scheme: https",
            "X-Forwarded-Ssl: on",
            "X-Forwarded-Path: /nowhere",
            "Front-End-Https: on",
            "Forwarded: for=203.0.113.9;host=evil.example;proto=https",
            "Forwarded: junk",
            "X-Real-IP: 203.0.113.9",
            "X-Client-IP: 203.0.113.9",
            "True-Client-IP: 203.0.113.9",
            "X-Original-URL: /nowhere",
            "X-Rewrite-URL: /nowhere",
            "X-Original-Host: evil.example",
            "X-Host: evil.example",
            "X-Script-Name: /evil.example",
            "Script-Name: /evil.example",
            "X-Url-Scheme: https",
            "X_Forwarded_Host: evil.example",
            "X_Forwarded_Proto: https",
            "Proxy: http://evil.example/",
            "X-HTTP-Method-Override: DELETE",
            "X-HTTP-Method: DELETE",
            "X-Method-Override: DELETE",
            "Remote-User: keeper",
            "Remote_User: keeper",
            "X-Remote-User: keeper",
            "X-Forwarded-User: keeper",
            "HTTPS: on",
            "Content-Location: /nowhere",
        ]
    )
}


@table(FORWARDING, "line")
def test_forwarding_headers_of_others_are_ignored(service, line):
    plain, answer = (
        service.ask("GET", "/books?limit=1", None, *lines, cookie="") for lines in ((), (line,))
    )
    assert (answer.status, answer.body, answer.all("Link")) == (200, plain.body, plain.all("Link"))
    assert service.ask("GET", "/auth/me", None, line, cookie="").status == 401


@table({name: line for name, line in FORWARDING.items() if "Method" in name}, "line")
def test_the_method_comes_from_the_request_line_only(service, victim, line):
    statuses = [
        service.ask(method, f"{victim.path}?_method=DELETE", None, line).status
        for method in ("GET", "POST", "OPTIONS")
    ]
    assert statuses[1:] == [405, 200] and victim.unharmed()


@pytest.mark.parametrize(
    "line",
    [
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Port: 99",
        "Forwarded: host=evil.example;proto=https",
        "X-Host: evil.example",
    ],
)
def test_forwarding_headers_do_not_bypass_the_cross_site_check(service, victim, line):
    origins = {
        "X-Forwarded-Proto: https": f"https://{service.address.host}",
        "X-Forwarded-Port: 99": f"http://{service.address.host.partition(':')[0]}:99",
    }
    answer = service.ask(
        "DELETE", victim.path, None, line, f"Origin: {origins.get(line, 'http://evil.example')}"
    )
    assert answer.status == 403 and victim.unharmed()


# the headers of the trusted proxy, and the base of the links; None: the request is refused
TRUSTED = {
    "https": (["X-Forwarded-Proto: https"], "https://books.example/"),
    "a port": (
        ["X-Forwarded-Host: books.example", "X-Forwarded-Port: 8443"],
        "http://books.example:8443/",
    ),
    "a port in the host": (["X-Forwarded-Host: books.example:8443"], "http://books.example:8443/"),
    "all": (
        ["X-Forwarded-Proto: https", "X-Forwarded-Host: books.example", "X-Forwarded-Port: 443"],
        "https://books.example/",
    ),
    "capitals": (["x-forwarded-PROTO: HTTPS"], "https://books.example/"),
    "a chain of hosts": (
        ["X-Forwarded-Host: evil.example, books.example"],
        "http://books.example/",
    ),
    "two headers": (
        ["X-Forwarded-Host: evil.example", "X-Forwarded-Host: books.example"],
        "http://books.example/",
    ),
    "an evil host": (["X-Forwarded-Host: evil.example"], None),
    "an evil end": (["X-Forwarded-Host: books.example, evil.example"], None),
    "no host": (["X-Forwarded-Host: a b"], None),
    "an evil port": (["X-Forwarded-Host: books.example:x"], None),
    "two schemes": (["X-Forwarded-Proto: https, http"], "http://books.example/"),
    "ftp": (["X-Forwarded-Proto: ftp"], "http://books.example/"),
    "two ports": (["X-Forwarded-Port: 443, 80"], "http://books.example/"),
    "an open quote": (['X-Forwarded-For: "'], "http://books.example/"),
    "an address without an address": (["X-Forwarded-For: :8.0"], "http://books.example/"),
    "Forwarded": (["Forwarded: host=evil.example;proto=https"], "http://books.example/"),
    "a prefix": (["X-Forwarded-Prefix: /library"], "http://books.example/library/"),
    "an evil prefix": (["X-Forwarded-Prefix: //evil.example"], "http://books.example/"),
    "a server": (["X-Forwarded-Server: evil.example"], "http://books.example/"),
    "a scheme by another name": (
        ["X-Forwarded-Scheme: https", "X-Forwarded-Ssl: on"],
        "http://books.example/",
    ),
}


@table(TRUSTED, "lines", "leads_to")
def test_five_forwarding_headers_of_the_trusted_proxy_are_used(trusting, lines, leads_to):
    answer = trusting.ask("GET", "/", None, *lines, cookie="")
    assert (answer.status, answer.get("Content-Type")) == (
        (200, "application/json") if leads_to else (400, "application/problem+json")
    )
    assert b"//evil.example" not in answer.head + answer.body
    assert not leads_to or answer.json()["links"]["books"] == f"{leads_to}books"


def test_the_trusted_proxy_decides_what_is_secure(trusting):
    pair = {"username": trusting.user, "password": trusting.password}
    secure = trusting.ask("POST", "/auth/login", pair, "X-Forwarded-Proto: https", cookie="").get(
        "Set-Cookie"
    )
    assert secure.startswith("__Host-bookapi=") and "; Secure" in secure


# the headers about the client's address, and the address that is taken from the trusted proxy
CLIENT_ADDRESSES = {
    "nothing": ([], "127.0.0.1"),
    "one": (["X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
    "a chain": (["X-Forwarded-For: 198.51.100.1, 203.0.113.9"], "203.0.113.9"),
    "two headers": (
        ["X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 203.0.113.9"],
        "203.0.113.9",
    ),
    "IPv6": (["X-Forwarded-For: 198.51.100.1, 2001:db8::9"], "2001:db8::9"),
    "IPv6 in brackets": (["X-Forwarded-For: [2001:db8::9]"], "2001:db8::9"),
    "other headers": (["Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9"], "127.0.0.1"),
}


def logged_address(service, *lines):
    """The address in the event of a sign-in that fails."""
    name = f"wire-{uuid.uuid4().hex[:8]}"
    assert (
        service.ask(
            "POST", "/auth/login", {"username": name, "password": "x"}, *lines, cookie=""
        ).status
        == 401
    )
    return next(
        event["address"]
        for event in service.ask("GET", "/auth/events").json()["events"]
        if event["username"] == name
    )


@table(CLIENT_ADDRESSES, "lines", "address")
def test_the_logged_address_is_the_last_one_of_the_trusted_proxy(trusting, lines, address):
    assert logged_address(trusting, *lines) == address


@table({name: lines for name, (lines, _) in CLIENT_ADDRESSES.items() if lines}, "lines")
def test_a_forwarded_address_of_others_is_not_logged(service, lines):
    assert logged_address(service, *lines) not in " ".join(lines)


def test_links_behind_nginx_point_to_nginx(behind_nginx):
    links = behind_nginx.ask("GET", "/").json()["links"]
    assert links["books"] == f"http://{HOST}:{behind_nginx.address.port}/books"
