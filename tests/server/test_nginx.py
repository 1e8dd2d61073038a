"""The service behind NGINX with the files of deploy/ (run with -m parts)."""

import gzip
import http.server
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from helpers.instance import PASSWORD
from helpers.nginx import NGINX, connection, fronted
from helpers.servers import serving
from helpers.support import bookapi
from helpers.waiting import wait_until

pytestmark = [
    pytest.mark.parts,
    pytest.mark.skipif(NGINX is None, reason="there is no nginx on this machine"),
]
APP = "https://app.example"


def _instance(folder):
    assert bookapi(folder, "init", ADMIN_PASSWORD=PASSWORD).returncode == 0
    bookapi(folder, "users", "add", "member", "--password-stdin", stdin=PASSWORD + "\n")
    return folder


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """bookapi.conf before a service of two workers at a unix socket."""
    folder = _instance(tmp_path_factory.mktemp("nginx") / "instance")
    path = f"/tmp/bookapi-test-{os.getpid()}.sock"  # noqa: S108 # short, and NGINX may enter
    options = ("--unix-socket", path, "--workers", "2")
    with (
        serving(folder, *options, TRUSTED_PROXY="unix", CORS_ORIGINS=APP) as service,
        fronted(folder.parent / "front", [f"unix:{path}"]) as made,
    ):
        made.service = service
        yield made
    Path(path).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def admin(front):
    answer = front.https("/auth/login", "POST", {"username": "admin", "password": PASSWORD})
    assert answer.status == 200, answer.body
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert cookie.startswith("__Host-bookapi=")
    return lambda path, method="GET", body=None, **headers: front.https(
        path, method, body, Cookie=cookie, **headers
    )


def _state(answer):
    return answer.headers["X-Cache"]


def test_links_are_those_of_the_front_and_http_leads_to_https(front):
    links = front.https("/").json()["links"]
    assert links["books"] == f"https://localhost:{front.port}/books"
    forged = front.https("/", X_Forwarded_Host="evil.example", X_Forwarded_Prefix="/evil")
    assert forged.json()["links"] == links


def test_an_answer_is_kept_a_second_and_then_revalidated(front, admin):
    path = "/books?title=kept"
    assert [_state(front.https(path)) for _ in range(2)] == ["MISS", "HIT"]
    time.sleep(2.1)  # NGINX counts whole seconds
    assert _state(front.https(path)) == "REVALIDATED"
    assert _state(front.https(path)) == "HIT"


def test_a_change_is_seen_at_once_by_a_revalidating_read_and_by_all_after_a_second(front, admin):
    path = "/books?title=Persuasion"
    assert front.https(path).json()["total"] == 0
    assert admin("/books", "POST", {"title": "Persuasion"}).status == 201
    assert front.https(path, Cache_Control="no-cache").json()["total"] == 1
    assert front.https(path).json()["total"] == 1  # what was fetched anew is kept in its place
    assert admin("/books", "POST", {"title": "Persuasion"}).status == 201
    time.sleep(2.1)  # NGINX counts whole seconds
    assert front.https(path).json()["total"] == 2


def test_an_answer_to_an_admin_never_reaches_anybody_else(front, admin):
    book = admin("/books", "POST", {"title": "Secret"}).json()
    assert admin(f"/books/{book['id']}", "DELETE").status == 204
    for path in ("/books?state=deleted", f"/books/{book['id']}?state=deleted", "/auth/users"):
        for _ in range(2):
            mine = admin(path)
            assert (mine.status, _state(mine)) == (200, "BYPASS")
        refused = front.https(path)
        assert refused.status in (401, 403) and b"Secret" not in refused.body
    for _ in range(2):
        assert front.https("/auth/me").status == 401
        assert admin("/auth/me").json()["username"] == "admin"


def test_formats_and_origins_are_kept_apart(front):
    for _ in range(2):
        for media_type in ("application/json", "application/xml", "text/csv"):
            answer = front.https("/books?limit=7", Accept=media_type)
            assert answer.headers["Content-Type"].startswith(media_type)
        named = front.https("/books?limit=7", Origin=APP)
        assert named.headers["Access-Control-Allow-Origin"] == APP
        for headers in ({}, {"Origin": "https://evil.example"}):
            answer = front.https("/books?limit=7", **headers)
            assert answer.headers["Access-Control-Allow-Origin"] is None
    assert _state(answer) == "HIT"


def test_each_answer_has_the_id_of_its_own_request(front):
    ids = {front.https("/books?limit=8").headers["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3
    assert front.https("/books?limit=8", X_Request_ID="mine").headers["X-Request-ID"] == "mine"
    assert front.https("/books?limit=8", X_Request_ID="a b").headers["X-Request-ID"] != "a b"


def test_a_compressed_answer_has_a_tag_that_may_be_sent_back(front, admin):
    description = ("long " * 1000).strip()
    book = admin("/books", "POST", {"title": "Long", "description": description}).json()
    path = f"/books/{book['id']}"
    answer = front.https(path, Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip" and description.encode() in gzip.decompress(
        answer.body
    )
    tag = answer.headers["ETag"]
    assert tag.startswith('W/"')
    assert front.https(path, If_None_Match=tag).status == 304
    assert admin(path, "PATCH", {"pages": 7}, If_Match=tag).status == 200
    assert admin(path, "PATCH", {"pages": 8}, If_Match=tag).status == 412


def test_a_long_search_of_other_letters_is_answered(front):
    assert front.https("/books?q=" + "%D0%B6" * 150).status == 200


def test_bodies_are_limited_by_address(front, admin):
    large = {"title": "a", "description": "x" * 1_100_000}
    assert admin("/books", "POST", large).status == 413
    lines = b'{"title": "imported"}\n' * 60_000
    answer = admin("/books/import?dry_run=true", "POST", lines, Content_Type="application/x-ndjson")
    assert answer.status == 200 and len(lines) > 1_100_000


def test_an_export_is_whole(front):
    books = front.https("/books/export").json()["books"]
    assert len(books) == front.https("/books?limit=1", Cache_Control="no-cache").json()["total"]


def test_replacing_the_workers_fails_no_request(front, admin):
    statuses, failed, wanted = [], [], threading.Event()

    def run(number):
        kept = connection(front.port)
        while not wanted.is_set():
            try:
                if number == 0:
                    answer = admin("/books", "POST", {"title": f"Rolling {len(statuses)}"})
                else:
                    fresh = {"Cache-Control": "no-cache"}
                    kept.request("GET", "/books?limit=1", headers=fresh)
                    answer = kept.getresponse()
                    answer.read()
                statuses.append(answer.status)
            except Exception as error:
                failed.append(error)
                kept.close()
        kept.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        before = set(front.service.children())
        os.kill(front.service.process.pid, signal.SIGHUP)
        wait_until(lambda: len(now := set(front.service.children())) == 2 and not now & before)  # noqa: B023
    wanted.set()
    for thread in threads:
        thread.join()
    assert not failed and set(statuses) == {200, 201} and len(statuses) > 100


def test_below_a_path_links_and_the_trailing_slash_lead_there(tmp_path):
    folder = _instance(tmp_path / "instance")
    with (
        serving(folder, TRUSTED_PROXY="127.0.0.1") as service,
        fronted(tmp_path / "front", [f"127.0.0.1:{service.address[1]}"], "subpath.conf") as front,
    ):
        base = f"https://localhost:{front.port}/library"
        links = front.https("/library/").json()["links"]
        assert links["books"] == f"{base}/books"
        assert front.https("/library/books/").headers["Location"] == f"{base}/books"
        opened = front.https(
            "/library/auth/login", "POST", {"username": "admin", "password": PASSWORD}
        )
        cookie = opened.headers["Set-Cookie"]
        assert "; Path=/;" in cookie or cookie.endswith("; Path=/")
        added = front.https(
            "/library/books", "POST", {"title": "Emma"}, Cookie=cookie.partition(";")[0]
        )
        assert (added.status, added.headers["Location"]) == (201, f"{base}/books/1")
        assert front.https("/library/books/export").json()["books"][0]["title"] == "Emma"
        assert [front.https(f"/library/{name}").status for name in ("healthz", "readyz")] == [
            200
        ] * 2
        assert front.https("/books").status == 404


class _Identity(http.server.BaseHTTPRequestHandler):
    """A stand-in for an identity provider: the cookie `who` is the name of who signed in there."""

    def do_GET(self):
        _, _, name = self.headers.get("Cookie", "").partition("who=")
        self.send_response(200 if name else 401)
        if name:
            self.send_header("Remote-User", name)
        self.end_headers()

    def log_message(self, *args):
        pass


def test_who_signed_in_at_the_identity_provider_is_signed_in_here(tmp_path):
    folder = _instance(tmp_path / "instance")
    settings = {"TRUSTED_PROXY": "127.0.0.1", "PROXY_USER_HEADER": "Remote-User"}
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Identity) as provider,
        serving(folder, **settings) as service,
    ):
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        upstreams = [f"127.0.0.1:{service.address[1]}"]
        verify = f"http://127.0.0.1:{provider.server_address[1]}/api/verify"
        with (
            fronted(
                tmp_path / "identity", upstreams, "auth_request.conf", identity_provider=verify
            ) as front,
            fronted(
                tmp_path / "plain", upstreams, settings={"PROXY_USER_HEADER": "Remote-User"}
            ) as plain,
        ):
            assert front.https("/auth/me").status == 401
            assert front.https("/auth/me", Cookie="who=member").json()["role"] == "member"
            added = front.https("/books", "POST", {"title": "Emma"}, Cookie="who=admin")
            assert added.status == 201
            assert front.https("/books", Cookie="who=nobody").status == 403
            # A client that sends the header itself gains nothing.
            forged = {"Remote_User": "admin"}
            mine = front.https("/auth/me", Cookie="who=member", **forged)
            assert mine.json()["username"] == "member"
            assert front.https("/auth/me", **forged).status == 401
            assert plain.https("/auth/me", **forged).status == 401
            lines = ("GET /auth/me HTTP/1.1", "Host: a", "Connection: close", "Remote_User: admin")
            raw = "\r\n".join([*lines, "", ""]).encode()
            assert service.ask(raw).status == 401  # past the proxy
            token = front.https(
                "/auth/tokens", "POST", {"name": "a", "scope": "read"}, Cookie="who=member"
            ).json()["secret"]
            by_token = front.https("/auth/me", Authorization=f"Bearer {token}")
            assert by_token.json()["username"] == "member"
            assert front.https("/auth/me", Authorization="Bearer wrong", **forged).status == 401
            assert front.https("/readyz").status == 200
        provider.shutdown()
