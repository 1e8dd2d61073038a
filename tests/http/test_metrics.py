"""GET /metrics and the access log. docs/operations.md, Monitoring."""

import json
import re
import time
from io import StringIO
from logging import StreamHandler

import pytest

from bookapi import metrics
from bookapi.http.load import LOAD, MAX_QUEUE, Load
from helpers.instance import Auth

LINE = re.compile(r"(bookapi_\w+)(?:\{(.*)\})? (\S+)")


def figures(client):
    """{(name, labels): value}"""
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.mimetype == "text/plain"
    assert answer.headers["Cache-Control"] == "no-store"
    lines = [LINE.fullmatch(line) for line in answer.text.splitlines() if line[0] != "#"]
    return {(line[1], line[2]): float(line[3]) for line in lines}


def grown(client, action):
    """What `action` adds to the figures."""
    before = figures(client)
    action()
    after = figures(client)
    changed = {key: value - before.get(key, 0) for key, value in after.items()}
    return {key: value for key, value in changed.items() if value}


def requests_of(changed):
    return {key[1]: value for key, value in changed.items() if key[0] == "bookapi_requests_total"}


SCRAPE = 'method="GET",route="/metrics",status="200"'


@pytest.fixture
def stranger(admin):
    return admin.application.test_client(use_cookies=False)


def test_only_admins_and_their_tokens_see_figures(app, admin, stranger):
    assert stranger.get("/metrics").status_code == 401
    member = app.test_client()
    Auth(member).login("member")
    assert member.get("/metrics").status_code == 403
    made = admin.post("/auth/tokens", json={"name": "scraper", "scope": "read"}).json
    answer = stranger.get("/metrics", headers={"Authorization": f"Bearer {made['secret']}"})
    assert answer.status_code == 200 and b"bookapi_requests_total{" in answer.data
    assert admin.head("/metrics").status_code == 200


def test_requests_are_counted_by_method_route_and_status(admin, stranger):
    def some():
        admin.post("/books", json={"title": "Emma"})
        admin.get("/books/1")
        admin.get("/books/77")
        stranger.post("/books", json={})
        stranger.get("/no/such/secret-path")
        stranger.open("/books", method="BREW")

    assert requests_of(grown(admin, some)) == {
        'method="POST",route="/books",status="201"': 1,
        'method="GET",route="/books/<id:book_id>",status="200"': 1,
        'method="GET",route="/books/<id:book_id>",status="404"': 1,
        'method="POST",route="/books",status="401"': 1,
        'method="GET",route="none",status="404"': 1,
        'method="other",route="none",status="405"': 1,
        SCRAPE: 1,
    }


def test_remembered_responses_are_counted(admin, stranger):
    tag = stranger.get("/books").headers["ETag"]

    def some():
        for _ in range(metrics.MAX_PENDING + 10):
            stranger.get("/books")
        stranger.get("/books", headers={"If-None-Match": tag})
        stranger.head("/books")

    changed = grown(admin, some)
    assert changed["bookapi_cache_hits_total", None] == metrics.MAX_PENDING + 12
    assert requests_of(changed) == {
        'method="GET",route="/books",status="200"': metrics.MAX_PENDING + 10,
        'method="GET",route="/books",status="304"': 1,
        'method="HEAD",route="/books",status="200"': 1,
        SCRAPE: 1,
    }


def test_the_time_of_requests_is_a_histogram(admin):
    changed = grown(admin, lambda: admin.get("/books/changes"))
    assert changed["bookapi_request_seconds_count", 'route="/books/changes"'] == 1
    assert changed["bookapi_request_seconds_bucket", 'le="+Inf",route="/books/changes"'] == 1
    assert 0 < changed["bookapi_request_seconds_sum", 'route="/books/changes"'] < 60


def test_refusals_are_counted_by_reason(app, admin, stranger):
    def some():
        load = app.extensions[LOAD] = Load(4)
        with load.slot("export"), load.slot("terms"):
            assert stranger.get("/books/export").status_code == 503
        app.extensions[LOAD] = Load(8, range(MAX_QUEUE * 10**6))
        assert stranger.get("/books?limit=3").status_code == 503
        app.extensions[LOAD] = Load()

    changed = grown(admin, some)
    assert changed["bookapi_refused_total", 'reason="export"'] == 1
    assert changed["bookapi_refused_total", 'reason="queue"'] == 1


def test_the_state_of_the_process_is_reported(admin, stranger):
    stranger.get("/books")
    reported = figures(admin)
    assert reported["bookapi_cache_bytes", None] > 500
    assert 1 <= reported["bookapi_database_connections", None] < 64
    assert reported["bookapi_write_queue", None] == reported["bookapi_request_queue", None] == 0
    assert ("bookapi_database_retries_total", None) in reported


# -- the access log --------------------------------------------------------------------


def logging(app):
    """A function: the lines of its log since the last call."""
    [handler] = [each for each in app.logger.handlers if type(each) is StreamHandler]
    stream = StringIO()
    handler.setStream(stream)

    def lines():
        reported = stream.getvalue().splitlines()
        stream.seek(0)
        stream.truncate()
        return reported

    return lines


@pytest.fixture
def logged(make_app):
    """(client, a function: the fields of the access lines since the last call)"""
    app = make_app(ACCESS_LOG=True, LOG_FORMAT="json")
    lines = logging(app)

    def reported():
        found = [json.loads(line) for line in lines()]
        return [line for line in found if line["message"] == "access"]

    return app.test_client(), reported


def test_each_request_has_a_line(logged):
    client, lines = logged
    Auth(client).login()
    lines()
    answers = [
        client.get("/books?q=private"),
        client.post("/books", json={"title": "Emma"}),
        client.get("/books/export"),
        client.head("/books/1"),
        client.get("/h%C3%A9%0Aforged", headers={"X-Request-ID": "mine"}),
    ]
    reported = lines()
    lengths = [len(answer.data) for answer in answers]
    assert [(line["method"], line["path"], line["status"], line["bytes"]) for line in reported] == [
        ("GET", "/books", 200, lengths[0]),
        ("POST", "/books", 201, lengths[1]),
        ("GET", "/books/export", 200, lengths[2]),
        ("HEAD", "/books/1", 200, 0),
        ("GET", "/hé\nforged", 404, lengths[4]),
    ]
    assert [line["request_id"] for line in reported] == [
        answer.headers["X-Request-ID"] for answer in answers
    ]
    assert all(0 <= line["milliseconds"] < 60_000 for line in reported)
    assert reported[1]["user"] == "admin" and reported[4]["request_id"] == "mine"
    assert "private" not in str(reported)


def test_remembered_and_refused_requests_have_lines(logged):
    client, lines = logged
    client.get("/books")
    client.get("/books")
    client.application.extensions[LOAD] = Load(8, range(MAX_QUEUE * 10**6))
    client.get("/books?limit=2")
    reported = lines()
    assert [line["status"] for line in reported] == [200, 200, 503]
    assert reported[0]["bytes"] == reported[1]["bytes"] > 0 and reported[0]["user"] is None


def test_a_line_as_text(make_app):
    app = make_app(ACCESS_LOG=True)
    lines = logging(app)
    app.test_client().get('/a"b%0Ac?secret=1')
    [line] = lines()
    pattern = (
        r'\S+ info access method="GET" path="/a\\"b\\nc" status="404" bytes="\d+" '
        r'milliseconds="[\d.]+" request_id="[0-9a-f]{32}"'
    )
    assert re.fullmatch(pattern, line), line


def test_there_is_no_access_log_by_default(client, app):
    lines = logging(app)
    client.get("/books")
    assert lines() == []


def test_counting_a_hit_costs_little():
    seconds = []
    for _ in range(20):
        begun = time.thread_time()
        for _ in range(1000):
            metrics.count_hit("GET", "/books", "200")
        seconds.append(time.thread_time() - begun)
    assert min(seconds) / 1000 < 20e-6
