"""When a browser gets a page, and what caches make of it. docs/api.md, HTML."""

import html
import json
from pathlib import Path

import pytest
from flask import request_started

from bookapi.pages import assets
from helpers.data import hostile_strings
from helpers.instance import Auth
from helpers.pages import BROWSER, CHROME, EMMA, PRIVATE, alert, error_at, form_of, page, parsed

# -- choosing the page -------------------------------------------------------------------


@pytest.mark.parametrize(
    "accept, chosen",
    [
        (CHROME, "text/html"),
        ("text/html, */*", "text/html"),
        ("TEXT/HTML", "text/html"),
        ("application/xhtml+xml", "text/html"),
        ("text/html;level=1", "text/html"),
        ("text/html, application/xml;q=0.9, *;q=0.1", "application/xml"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json"),
        ("text/html;q=0.9, application/json", "application/json"),
        ("application/json, text/html", "application/json"),
        ("application/xml, text/html", "application/xml"),
        ("text/*", "application/xml"),
        ("*/*", "application/json"),
    ],
)
def test_a_page_is_chosen_by_name_and_never_by_a_wildcard(client, accept, chosen):
    answer = client.get("/books/authors", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, chosen)
    assert ("Accept-Language" in answer.vary) == (chosen == "text/html")


def test_the_format_parameter_asks_for_a_page(client):
    assert client.get("/books?format=html", headers={"Accept": "application/json"}).mimetype == (
        "text/html"
    )


def test_an_export_has_no_page(client):
    assert page(client, "/books/export").mimetype == "application/xml"


READ = ["/", "/books", "/books/1", "/books/authors", "/books/changes", "/healthz", "/nowhere"]


def test_every_page_has_one_main_one_heading_and_a_policy_without_inline_code(admin):
    admin.post("/books", json=EMMA)
    for address in (*READ, *PRIVATE, "/books/99"):
        answer = page(admin, address)
        assert answer.mimetype == "text/html", address
        tree = parsed(answer)
        assert [len(tree.xpath(path)) for path in ("//main", "//h1", "//title")] == [1, 1, 1]
        assert tree.xpath("//@style | //@onclick | //style") == []
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_a_page_links_to_its_data(client, admin):
    admin.post("/books", json=EMMA)
    links = parsed(page(client, "/books?q=emma")).xpath("//footer//a/@href")
    assert [client.get(link).mimetype for link in links] == ["application/json", "application/xml"]
    assert client.get(links[0]).json["total"] == 1


def test_a_book_is_described_for_search_engines(client, admin):
    admin.post("/books", json={**EMMA, "title": "</script><script>alert(1)</script>"})
    [described] = parsed(page(client, "/books/1")).xpath(
        '//script[@type="application/ld+json"]/text()'
    )
    assert json.loads(described)["name"] == "</script><script>alert(1)</script>"
    assert json.loads(described)["isbn"] == EMMA["isbn"]


def test_a_list_shows_filters_with_their_numbers(client, admin):
    for year in ("1815", "1811", "1999"):
        admin.post("/books", json={"title": year, "published": year, "language": "en"})
    tree = parsed(page(client, "/books?limit=2"))
    assert tree.xpath('//a[contains(@href, "language=en")]//text()') == ["English", " ", "3"]
    assert len(tree.xpath('//a[contains(@href, "published_from=1810&published_to=1819")]')) == 1
    assert tree.xpath('//main//a[@rel="next"]/text()') == ["Next page"]
    assert "1999" not in "".join(tree.xpath("//h2//text()"))


def test_a_search_form_may_send_empty_fields(client, admin):
    admin.post("/books", json=EMMA)
    answer = page(client, "/books?q=emma&sort=&language=")
    assert (answer.status_code, "1 book" in answer.text) == (200, True)
    for link in parsed(answer).xpath("//footer//a/@href | //p[@class='files']/a/@href"):
        assert client.get(link).status_code == 200


def test_a_page_is_in_the_language_of_its_reader(client):
    german = page(client, "/", **{"Accept-Language": "de-AT, en;q=0.5"})
    assert german.headers["Content-Language"] == "de" and 'lang="de"' in german.text
    assert "Anmelden" in german.text
    assert 'lang="en"' in page(client, "/", **{"Accept-Language": "fr, en;q=0.5"}).text


def test_problems_are_told_in_the_language_of_their_reader(client, admin):
    answer = page(client, "/nowhere", **{"Accept-Language": "de"})
    assert "<h1>Nicht gefunden</h1>" in answer.text and "Unter dieser Adresse" in alert(answer)
    german = {**BROWSER, "Accept-Language": "de"}
    typed = {"isbn": "978-0-14-143958-8", "title": "x" * 2001, "pages": "%s {} <b>"}
    fields = form_of(page(admin, "/books/new"), "/books") | typed
    answer = admin.post("/books", data=fields, headers=german)
    assert error_at(answer, "isbn") == "hat eine falsche Prüfziffer"
    assert error_at(answer, "title") == "darf höchstens 2000 Zeichen haben, dies hat 2001"
    assert error_at(answer, "pages").startswith("muss eine ganze Zahl von 1 bis ")
    broken = {**german, "Content-Type": "application/x-www-form-urlencoded"}
    reported = admin.post("/books/new%20{}<b>", data=fields, headers=broken)
    assert reported.status_code == 404 and "<b>" not in reported.text


def test_covers_are_shown_from_the_hosts_of_the_setting_alone(make_app):
    client = make_app(COVERS=[".example.org"]).test_client()
    Auth(client).login()
    for host in ("a.example.org", "example.com"):
        client.post("/books", json={"title": host, "cover_url": f"https://{host}/1.jpg"})
    answer = page(client, "/books")
    assert parsed(answer).xpath("//img/@src") == ["https://a.example.org/1.jpg"]
    assert "img-src 'self' *.example.org;" in answer.headers["Content-Security-Policy"]


def test_assets_are_kept_for_ever_and_small(client):
    tree = parsed(page(client, "/"))
    found = tree.xpath("//link[@rel='stylesheet']/@href | //script/@src")
    for address in found:
        answer = client.get(address)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert len(answer.data) < 20_000
    assert len(found) == 2 and client.get("/static/pages.000000000000.css").status_code == 404
    assert {path.suffix for path in Path(assets.FOLDER / "static").iterdir()} == set(assets.TYPES)


# -- caches ------------------------------------------------------------------------------


def test_an_anonymous_page_is_remembered_until_the_catalogue_changes(app, admin):
    entered = []

    def note(sender, **given):
        entered.append(1)

    request_started.connect(note, app)
    bare = app.test_client(use_cookies=False)
    first = page(bare, "/books")
    entered.clear()
    again = page(bare, "/books")
    assert entered == [] and again.data == first.data
    assert again.headers["Cache-Control"] == "no-cache"
    assert page(bare, "/books", **{"If-None-Match": first.headers["ETag"]}).status_code == 304
    german = page(bare, "/books", **{"Accept-Language": "de"})
    assert 'lang="de"' in german.text and german.headers["ETag"] != first.headers["ETag"]
    admin.post("/books", json=EMMA)
    assert "Emma" in page(bare, "/books").text


def test_what_somebody_who_is_signed_in_sees_is_not_stored(admin):
    for address in (*READ, *PRIVATE):
        answer = page(admin, address)
        assert answer.headers["Cache-Control"] == "no-store", address
        assert "ETag" not in answer.headers


# -- hostile text ------------------------------------------------------------------------


def test_hostile_text_is_shown_and_never_run(admin):
    hostile = [text for text in hostile_strings() if text.strip()][:500]
    hostile += ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"]
    records = [
        {"title": text, "description": text, "authors": [text[:500]], "subjects": [text[:200]]}
        for text in hostile
    ]
    lines = "\n".join(map(json.dumps, records))
    report = admin.post(
        "/books/import?on_error=skip", data=lines, content_type="application/x-ndjson"
    ).json
    stored = report["created"]
    assert stored > 400
    known = {asset.partition(".")[0] for asset in ("pages.js", "pages.css")}
    for address in ("/books?limit=100", "/books/1", "/books/1/edit", "/books/authors?limit=100"):
        tree = parsed(page(admin, address))
        for script in tree.xpath("//script"):
            kind = script.get("type", "")
            assert kind.endswith("json") or script.get("src").split("/")[-1].split(".")[0] in known
        assert tree.xpath("//@*[starts-with(name(), 'on')] | //iframe | //object | //base") == []
        assert not [href for href in tree.xpath("//@href") if href.lower().startswith("javascript")]
    for number in range(1, stored, 50):
        shown = parsed(page(admin, f"/books/{number}")).xpath("//h1")[0]
        title = admin.get(f"/books/{number}").json["title"]
        assert html.unescape("".join(shown.itertext())).split() == html.unescape(title).split()


def test_hostile_parameters_are_not_run(client):
    for address in ("/books?q=", "/books?author=", "/auth/login?next=", "/nowhere/"):
        answer = page(client, address + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
        assert "<script>alert" not in answer.text, address
