"""Requests that a server may read leniently, as the application sees them."""

import io

import pytest


def ask(client, target="/books", **environ):
    """The answer where the server shows these in the environ."""
    base = {"REQUEST_URI": target, "REMOTE_ADDR": "127.0.0.1"}
    return client.get("/books", environ_overrides={**base, **environ})


@pytest.mark.parametrize(
    "target", ["/books", "/books?q=a", "http://localhost/books", "/books?q=a b"]
)
def test_a_usual_address_is_served(client, target):
    assert ask(client, target).status_code == 200


@pytest.mark.parametrize(
    "target",
    ["books", "?limit=1", "/bo\toks", "/\x01books", "/books\x00", "/books\x7f", "ftp://a/"],
)
def test_an_address_of_another_form_is_a_400(client, target):
    answer = ask(client, target)
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


def test_a_long_address_is_a_414(client):
    assert ask(client, "/books?q=" + "x" * 9000).status_code == 414


@pytest.mark.parametrize("value", ["chunked", "identity", ""])
def test_a_transfer_encoding_that_the_server_did_not_decode_is_a_400(client, value):
    answer = ask(client, HTTP_TRANSFER_ENCODING=value)
    assert answer.status_code == 400 and "Content-Length" not in answer.headers


def test_an_offer_to_upgrade_to_websocket_is_ignored(client):
    answer = client.delete("/books", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert answer.status_code == 405 and "GET" in answer.allow


class FullDisk(io.RawIOBase):
    def readable(self):
        return True

    def writable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        return 0

    def write(self, data):
        raise OSError(28, "No space left on device")


def test_a_body_whose_end_finds_the_disk_full_is_a_507_and_its_file_can_be_closed(client):
    body = io.BufferedRandom(FullDisk())
    body.write(b"x" * 100)
    environ = {"wsgi.input": body, "CONTENT_LENGTH": "100"}
    answer = client.post("/books", environ_overrides=environ)
    assert answer.status_code == 507
    body.close()
