"""Host headers and request targets, valid and invalid."""

import pytest

from helpers.raw_service import table

pytestmark = pytest.mark.stress


@pytest.mark.parametrize(
    "target",
    [b"/bo\toks", b"\x01/books", b"/\x01books", b"/books\x00", b"/books\x7f", b"books"],
    ids=repr,
)
def test_a_path_with_a_control_character_is_not_another_path(service, target):
    """A proxy in front that decides by path would have decided about another one."""
    got = service.exchange(b"GET " + target + b" HTTP/1.1\r\nHost: <HOST>\r\n\r\n")
    assert got.status in (400, 404)


@pytest.mark.parametrize(
    "target",
    [b"http://<HOST>", b"http://[::1/books", b"http://]/", b"?limit=1", b"*", b"//", b"a:80"],
    ids=repr,
)
def test_an_unusual_request_target_is_answered_without_a_redirect(service, target):
    got = service.exchange(b"GET " + target + b" HTTP/1.1\r\nHost: <HOST>\r\n\r\n")
    assert got.status in (200, 400, 404) or (got.status is None and got.closed)
    assert all("location" not in answer.headers for answer in got.answers)


NO_HOSTS = {
    "none": b"",
    "empty": b"Host:\r\n",
    "two": b"Host: <HOST>\r\nHost: evil.example\r\n",
    "two the same": b"Host: <HOST>\r\nHost: <HOST>\r\n",
    "a list": b"Host: <HOST>, evil.example\r\n",
    "userinfo": b"Host: <HOST>@evil.example\r\n",
    "user and password": b"Host: a:b@<HOST>\r\n",
    "port 0": b"Host: books.example:0\r\n",
    "port 65536": b"Host: books.example:65536\r\n",
    "a long port": b"Host: books.example:0000000080\r\n",
    "two ports": b"Host: books.example:80:80\r\n",
    "a word for a port": b"Host: books.example:http\r\n",
    "a negative port": b"Host: books.example:-80\r\n",
    "an IPv6 that does not end": b"Host: [::1\r\n",
    "junk behind an IPv6": b"Host: [::1]x\r\n",
    "junk in an IPv6": b"Host: [::gg]\r\n",
    "colons": b"Host: [:::::]\r\n",
    "an IPv6 of nine": b"Host: [1:2:3:4:5:6:7:8:9]\r\n",
    "an IPv6 of nothing": b"Host: []\r\n",
    "no brackets": b"Host: ::1\r\n",
    "a path": b"Host: <HOST>/x\r\n",
    "a query": b"Host: <HOST>?x\r\n",
    "a fragment": b"Host: <HOST>#x\r\n",
    "a scheme": b"Host: http://<HOST>\r\n",
    "a space": b"Host: <HOST> x\r\n",
    "folded": b"Host: <HOST>\r\n evil.example\r\n",
    "a backslash": b"Host: <HOST>\\x\r\n",
    "markup": b"Host: <script>\r\n",
    "percent": b"Host: %62ooks.example\r\n",
    "UTF-8": b"Host: b\xc3\xbccher.example\r\n",
    "a space before the colon": b"Host : <HOST>\r\n",
    "NUL": b"Host: <HOST>\x00\r\n",
    "two dots": b"Host: books..example\r\n",
}


@table(NO_HOSTS, "lines")
def test_an_invalid_host_header_is_a_400(service, lines):
    got = service.exchange(b"GET /books?limit=1 HTTP/1.1\r\n" + lines + b"\r\n")
    assert got.status == 400
    assert b"//evil.example" not in got.answers[0].head + got.answers[0].body


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"books.example.evil.example",
        b"evilbooks.example",
        b"a.books.example",
        b"books.example.",
        b"127.0.0.1",
        b"localhost",
        b"[::1]",
        b"[::ffff:127.0.0.1]:80",
        b"evil.example:80",
        b"books_example",
        b"-",
    ],
    ids=repr,
)
def test_only_trusted_hosts_are_served(trusting, version, host):
    got = trusting.exchange(b"GET /books?limit=1 %s\r\nHost: %s\r\n\r\n" % (version, host))
    assert got.status == 400
    assert b"://" not in got.answers[0].head + got.answers[0].body


@table({"HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n", "no version": b"GET /\r\n\r\n"}, "sent")
def test_a_request_without_host_learns_no_host_name(direct, trusting, sent):
    for service in (direct, trusting):
        answer = service.exchange(sent).answers[0]
        assert b"waitress" not in answer.body and answer.status in (200, 400)


ABSOLUTE = [
    b"http://evil.example/books?limit=1",
    b"https://evil.example/books?limit=1",
    b"http://evil.example:99/books",
    b"http://books.example@evil.example/books",
    b"http://a:b@evil.example/books",
    b"//evil.example/books",
    b"http:\\\\evil.example/books",
    b"/\\evil.example",
    b"///evil.example/books",
]


@pytest.mark.parametrize("target", ABSOLUTE, ids=repr)
def test_an_absolute_target_with_another_host_does_not_appear_in_links(service, target):
    got = service.exchange(b"GET " + target + b" HTTP/1.1\r\nHost: <HOST>\r\n\r\n")
    assert got.status in (200, 400, 404)
    assert b"//evil.example" not in got.answers[0].head + got.answers[0].body.replace(
        b'"instance":"/', b""
    )


def test_an_absolute_target_does_not_replace_an_untrusted_host(trusting):
    got = trusting.exchange(
        b"GET http://books.example/books?limit=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    )
    assert got.status == 400 or b"//evil.example" not in got.answers[0].body
