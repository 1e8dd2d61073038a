"""What a proxy in front says of its clients, and from whom it is believed."""

import pytest

ALL = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "books.example",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Prefix": "/library",
}


@pytest.fixture
def link(make_app):
    """A function that gives the link to /books as a peer and its headers make it."""

    def ask(trusted, peer, headers):
        app = make_app(TRUSTED_PROXY=trusted)
        answer = app.test_client().get("/", headers=headers, environ_base={"REMOTE_ADDR": peer})
        return answer.json["links"]["books"]

    return ask


@pytest.mark.parametrize(
    "trusted, peer",
    [
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("127.0.0.1, 10.0.0.0/8,::1", "10.255.0.1"),
        ("127.0.0.1, 10.0.0.0/8,::1", "::1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("unix", "localhost"),
        ("unix", ""),
        ("localhost", "localhost"),
        (["10.0.0.1", "unix"], "localhost"),
    ],
)
def test_a_trusted_proxy_is_believed(link, trusted, peer):
    assert link(trusted, peer, ALL) == "https://books.example/library/books"


@pytest.mark.parametrize(
    "trusted, peer",
    [
        (None, "127.0.0.1"),
        ("", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.2"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("10.0.0.0/8", "::1"),
        ("127.0.0.1", "localhost"),
        ("unix", "127.0.0.1"),
        ("127.0.0.1", "nonsense"),
    ],
)
def test_nobody_else_is_believed(link, trusted, peer):
    assert link(trusted, peer, ALL) == "http://localhost/books"


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({"X-Forwarded-Proto": "https,http"}, "http://localhost/books"),
        ({"X-Forwarded-Proto": "http, HTTPS"}, "https://localhost/books"),
        ({"X-Forwarded-Port": "443, 80"}, "http://localhost/books"),
        ({"X-Forwarded-Port": "80, 8080"}, "http://localhost:8080/books"),
        ({"X-Forwarded-Host": "evil.example, books.example"}, "http://books.example/books"),
        (
            {"X-Forwarded-Host": "books.example:81", "X-Forwarded-Port": "80"},
            "http://books.example:81/books",
        ),
        ({"X-Forwarded-Prefix": "/evil, /a/b-c.d_e/"}, "http://localhost/a/b-c.d_e/books"),
    ],
)
def test_the_last_value_of_a_list_counts(link, headers, expected):
    assert link("127.0.0.1", "127.0.0.1", headers) == expected


@pytest.mark.parametrize(
    "name, value",
    [
        ("Prefix", "//evil.example"),
        ("Prefix", "http://evil.example"),
        ("Prefix", "evil"),
        ("Prefix", "/a//b"),
        ("Prefix", "/../x"),
        ("Prefix", "/a b"),
        ("Prefix", "/a?b"),
        ("Prefix", "/%2fevil.example"),
        ("Prefix", "/\\evil.example"),
        ("Proto", "javascript"),
        ("Proto", ""),
        ("Port", "x"),
        ("Port", "443 443"),
        ("Port", "-1"),
        ("For", "unknown"),
        ("For", '"'),
        ("Host", ""),
    ],
)
def test_a_bad_value_is_ignored(link, name, value):
    assert link("127.0.0.1", "127.0.0.1", {f"X-Forwarded-{name}": value}) == (
        "http://localhost/books"
    )


@pytest.mark.parametrize("host", ["a b", "evil.example/", "evil.example:x", "@evil.example"])
def test_a_bad_host_is_a_400(make_app, host):
    client = make_app(TRUSTED_PROXY="127.0.0.1").test_client()
    assert client.get("/", headers={"X-Forwarded-Host": host}).status_code == 400


def test_a_port_that_is_none_is_a_400(make_app):
    client = make_app(TRUSTED_PROXY="127.0.0.1").test_client()
    assert client.get("/", headers={"X-Forwarded-Port": "99999"}).status_code == 400
