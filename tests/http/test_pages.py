"""Pages for people: HTML of the same addresses, and their forms. docs/api.md, HTML."""

import html
import json
import re
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from flask import request_started
from lxml import etree

from bookapi.pages import assets
from helpers.data import hostile_strings
from helpers.instance import PASSWORD, Auth

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
BROWSER = {"Accept": CHROME, "Sec-Fetch-Site": "same-origin"}
EMMA = {"title": "Emma", "authors": ["Jane Austen"], "isbn": "9780141439587", "language": "en"}


def page(client, address, **headers):
    return client.get(address, headers={**BROWSER, **headers})


def parsed(answer):
    return etree.HTML(answer.text)


def form_of(answer, action):
    """{name: value} of the fields of the form that posts to an address."""
    [form] = parsed(answer).xpath(f'//form[@action="{action}"]')
    fields = {}
    for field in form.xpath(".//*[@name][not(self::button)]"):
        if field.tag == "textarea":
            fields[field.get("name")] = (field.text or "").removeprefix("\n")
        elif field.tag == "select":
            [*chosen] = field.xpath("./option[@selected]") or field.xpath("./option[1]")
            fields[field.get("name")] = chosen[0].get("value")
        elif field.get("type") != "file":
            fields[field.get("name")] = field.get("value", "")
    return fields


def send(client, shown_at, action, **typed):
    """Send the form of a page as a browser does, with what is typed into it."""
    fields = {**form_of(page(client, shown_at), action), **typed}
    return client.post(action, data=fields, headers=BROWSER)


def alert(answer):
    [found] = parsed(answer).xpath('//*[@role="alert"]')
    return " ".join("".join(found.itertext()).split())


def error_at(answer, name):
    """The error that a field names by aria-describedby."""
    [field] = parsed(answer).xpath(f'//*[@name="{name}"][@aria-invalid="true"]')
    [text] = parsed(answer).xpath(f'//*[@id="{field.get("aria-describedby").split()[0]}"]')
    return text.text


def sign_in(client, username="admin", next="/", **typed):
    fields = {"username": username, "password": PASSWORD, **typed}
    return send(client, f"/auth/login?next={next}", "/auth/login", **fields)


# -- choosing the page -----------------------------------------------------------------


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
PRIVATE = [
    *("/books/new", "/books/import", "/books/1/edit", "/books/1/history", "/books?state=deleted"),
    *("/auth/me", "/auth/mfa", "/auth/users", "/auth/users/1", "/auth/tokens", "/auth/sessions"),
    "/auth/events",
]


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


# -- caches ----------------------------------------------------------------------------


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


# -- sign-in ---------------------------------------------------------------------------


def test_a_page_that_needs_an_account_leads_to_the_sign_in_and_back(client):
    for address in PRIVATE:
        if address == "/books/1/edit":
            continue
        answer = page(client, address)
        assert answer.status_code == 303, address
        assert answer.location.startswith("http://localhost/auth/login?next=%2F"), address
    fields = form_of(page(client, page(client, "/auth/users?limit=5").location), "/auth/login")
    fields |= {"username": "admin", "password": PASSWORD}
    answer = client.post("/auth/login", data=fields, headers=BROWSER)
    assert (answer.status_code, answer.location) == (303, "http://localhost/auth/users?limit=5")
    assert page(client, "/auth/users").status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)"),
        *("/\t/evil.example", "\\\\evil.example", "/%0d%0aSet-Cookie: a=b", "evil", ""),
    ],
)
def test_the_sign_in_leads_to_no_other_site(client, elsewhere):
    fields = form_of(page(client, "/auth/login"), "/auth/login")
    fields |= {"username": "admin", "password": PASSWORD, "next": elsewhere}
    answer = client.post("/auth/login", data=fields, headers=BROWSER)
    assert answer.status_code == 303
    assert re.match(r"http://localhost/(?![/\\])", answer.location)
    assert "evil.example" not in answer.location.split("/")[2]


def test_a_wrong_password_is_told_and_the_name_is_kept(client):
    answer = sign_in(client, password="wrong")
    assert answer.status_code == 401 and alert(answer) == "wrong username or password"
    assert form_of(answer, "/auth/login")["username"] == "admin"
    assert "wrong" not in form_of(answer, "/auth/login")["password"]


def test_signing_out_leads_to_the_start(client):
    sign_in(client)
    answer = send(client, "/", "/auth/logout")
    assert (answer.status_code, answer.location) == (303, "http://localhost/#signed-out")
    assert page(client, "/auth/me").status_code == 303


def test_clients_of_data_are_never_redirected(client):
    for accept in ("application/json", "application/xml", "*/*"):
        answer = client.get("/auth/me", headers={"Accept": accept})
        assert answer.status_code == 401 and "Location" not in answer.headers
    basic = {"Authorization": "Basic YTpi"}
    assert page(client, "/auth/me", **basic).status_code == 401


ALONE = {"/auth/login": 405, "/books/import": 405, "/books/new": 404, "/books/1/edit": 405}


@pytest.mark.parametrize("accept", ["application/json", "application/xml", "*/*", "", JAVA])
def test_pages_without_data_do_not_exist_for_clients_of_data(admin, accept):
    admin.post("/books", json=EMMA)
    asked = {"Accept": accept}
    for address, status in ALONE.items():
        for method in ("GET", "HEAD"):
            assert admin.open(address, method=method, headers=asked).status_code == status, address
        reported = admin.open(address, method="OPTIONS", headers=asked).headers["Allow"]
        assert "GET" not in reported, address
        assert page(admin, address).status_code == 200
        assert "GET" in admin.open(address, method="OPTIONS", headers=BROWSER).headers["Allow"]
        answer = admin.open(address, method="PUT", headers=asked)
        assert answer.status_code == 405 and "GET" not in answer.headers["Allow"]


def test_a_page_without_data_enforces_its_access(client):
    rules = client.application.url_map.iter_rules()
    views = client.application.view_functions
    alone = {rule.rule for rule in rules if views[rule.endpoint].declaration.page_only}
    assert len(alone - {"/books/<id:book_id>/edit"}) == len(ALONE) - 1
    sign_in(client, "member")
    for address in set(ALONE) - {"/auth/login"}:
        assert page(client, address).status_code == 403, address


# -- forms -----------------------------------------------------------------------------

FORMS = [
    ("/books/new", "/books"),
    ("/books/1/edit", "/books/1/edit"),
    ("/books/1", "/books/1/delete"),
    ("/auth/users", "/auth/users"),
    ("/auth/users/2", "/auth/users/2/edit"),
    ("/auth/users/2", "/auth/users/2/delete"),
    ("/auth/tokens", "/auth/tokens"),
    ("/auth/sessions", "/auth/sessions/1/delete"),
    ("/auth/me", "/auth/password"),
    ("/auth/mfa", "/auth/mfa"),
    ("/", "/auth/logout"),
]


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
def test_a_form_without_its_token_is_refused(admin, token):
    numbers = {
        "/books/1": admin.post("/books", json=EMMA).json["id"],
        "/auth/users/2": max(user["id"] for user in admin.get("/auth/users").json["users"]),
        "/auth/sessions/1": admin.get("/auth/sessions").json["sessions"][0]["id"],
    }
    for addresses in FORMS:
        shown_at, action = addresses
        for given, number in numbers.items():
            there = f"{given.rpartition('/')[0]}/{number}"
            shown_at, action = shown_at.replace(given, there), action.replace(given, there)
        fields = form_of(page(admin, shown_at), action)
        fields |= {"title": "Changed", "name": "x", "username": "somebody"}
        fields.pop("csrf_token")
        if token is not None:
            fields["csrf_token"] = token
        answer = admin.post(action, data=fields, headers=BROWSER)
        assert (answer.status_code, answer.mimetype) == (403, "text/html"), action
    assert [book["title"] for book in admin.get("/books").json["books"]] == ["Emma"]


def test_the_token_of_another_browser_is_refused(app, admin):
    other = app.test_client()
    sign_in(other)
    fields = form_of(page(other, "/books/new"), "/books") | {"title": "Emma"}
    assert admin.post("/books", data=fields, headers=BROWSER).status_code == 403


def test_a_form_from_another_site_is_refused(admin):
    fields = form_of(page(admin, "/books/new"), "/books") | {"title": "Emma"}
    answer = admin.post("/books", data=fields, headers={**BROWSER, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403 and admin.get("/books").json["total"] == 0


def test_a_book_is_added_edited_deleted_and_restored_by_forms(admin):
    typed = {"title": "Emma", "authors": "Jane Austen\r\n\r\n  A. Nother  \r\n", "pages": "474"}
    typed |= {"isbn": "0-14-143958-0", "identifiers": "goodreads:6969"}
    answer = send(admin, "/books/new", "/books", **typed)
    assert (answer.status_code, answer.location) == (303, "http://localhost/books/1#added")
    book = admin.get("/books/1").json
    assert book["authors"] == ["Jane Austen", "A. Nother"] and book["pages"] == 474
    assert book["isbn"] == EMMA["isbn"]
    assert book["identifiers"] == [{"scheme": "goodreads", "value": "6969"}]
    answer = send(admin, "/books/1/edit", "/books/1/edit", subtitle="A novel", pages="")
    assert answer.location == "http://localhost/books/1#saved"
    edited = admin.get("/books/1").json
    changed = {"subtitle": "A novel", "pages": None, "version": 2}
    assert edited == {**book, **changed, "updated_at": edited["updated_at"]}
    assert send(admin, "/books/1", "/books/1/delete").location == "http://localhost/books#deleted"
    gone = page(admin, "/books/1")
    assert gone.status_code == 410 and "/books/1?state=deleted" in gone.text
    answer = send(admin, "/books/1?state=deleted", "/books/1/restore")
    assert answer.location == "http://localhost/books/1#restored"
    history = page(admin, "/books/1/history").text
    assert all(word in history for word in ("A novel", "Moved to the trash", "Restored"))


def test_errors_stand_at_their_fields_with_what_was_typed(admin):
    answer = send(
        admin, "/books/new", "/books", title="", isbn="978-0-14-143958-8", authors="A\n" + "x" * 501
    )
    assert answer.status_code == 422 and "validation failed" in alert(answer)
    assert error_at(answer, "title") == "must not be null or empty"
    assert error_at(answer, "isbn") == "has an invalid check digit"
    assert error_at(answer, "authors").startswith("2: must have at most 500")
    fields = form_of(answer, "/books")
    assert (fields["isbn"], fields["authors"]) == ("978-0-14-143958-8", "A\n" + "x" * 501)


def test_a_taken_isbn_leads_to_the_other_book(admin):
    admin.post("/books", json=EMMA)
    answer = send(admin, "/books/new", "/books", title="Other", isbn=EMMA["isbn"])
    assert answer.status_code == 409 and error_at(answer, "isbn") == "is that of another book"
    assert "http://localhost/books/1" in answer.text


def test_a_field_too_many_is_reported(admin):
    answer = send(admin, "/books/new", "/books", title="Emma", colour="red")
    assert answer.status_code == 422 and "colour" in alert(answer)


def test_a_form_that_is_sent_twice_adds_one_book(admin):
    fields = form_of(page(admin, "/books/new"), "/books") | {"title": "Emma"}
    answers = [admin.post("/books", data=fields, headers=BROWSER) for _ in range(2)]
    assert [answer.location for answer in answers] == ["http://localhost/books/1#added"] * 2
    changed = admin.post("/books", data={**fields, "title": "Persuasion"}, headers=BROWSER)
    assert changed.status_code == 422 and "Idempotency-Key" in alert(changed)
    again = form_of(changed, "/books")  # with a new key: this is another book
    assert again["title"] == "Persuasion"
    assert admin.post("/books", data=again, headers=BROWSER).status_code == 303
    assert admin.get("/books").json["total"] == 2


def test_books_that_were_added_together_are_shown_as_a_page(admin):
    answer = admin.post("/books", json={"books": [EMMA, {"title": "Mine"}]}, headers=BROWSER)
    assert answer.status_code == 201 and "2 books" in answer.text and "Emma" in answer.text


def test_a_conflict_shows_both_versions_and_loses_neither(admin):
    admin.post("/books", json=EMMA)
    mine = form_of(page(admin, "/books/1/edit"), "/books/1/edit") | {"subtitle": "Mine"}
    send(admin, "/books/1/edit", "/books/1/edit", subtitle="Theirs")
    answer = admin.post("/books/1/edit", data=mine, headers=BROWSER)
    assert answer.status_code == 412 and alert(answer)
    cells = parsed(answer).xpath('//section[@class="conflict"]//tbody/tr/*/text()')
    assert cells == ["Subtitle", "Mine", "Theirs"]
    fields = form_of(answer, "/books/1/edit")
    assert (fields["subtitle"], fields["version"]) == ("Mine", "2")
    assert admin.post("/books/1/edit", data=fields, headers=BROWSER).status_code == 303
    assert admin.get("/books/1").json["subtitle"] == "Mine"


def test_a_change_needs_the_version(admin):
    admin.post("/books", json=EMMA)
    for address, action in (("/books/1/edit", "/books/1/edit"), ("/books/1", "/books/1/delete")):
        assert send(admin, address, action, version="").status_code == 428
        assert send(admin, address, action, version="7").status_code == 412
    assert send(admin, "/books/1", "/books/1/delete", version="x").status_code == 422
    assert admin.get("/books/1").json["version"] == 1


def test_a_restore_needs_the_version_that_the_trash_showed(admin):
    admin.post("/books", json=EMMA)
    send(admin, "/books/1", "/books/1/delete")
    shown = form_of(page(admin, "/books/1?state=deleted"), "/books/1/restore")
    assert admin.post("/books/1/restore").status_code == 200  # by somebody else
    assert admin.patch("/books/1", json={"subtitle": "Theirs"}).status_code == 200
    send(admin, "/books/1", "/books/1/delete")
    answer = admin.post("/books/1/restore", data=shown, headers=BROWSER)
    assert answer.status_code == 412 and "version" in alert(answer)
    for version, status in (("", 428), ("x", 422), ("5", 303)):
        form = {**shown, "version": version}
        assert admin.post("/books/1/restore", data=form, headers=BROWSER).status_code == status
    assert admin.get("/books/1").json["subtitle"] == "Theirs"


def test_a_form_whose_session_has_ended_is_kept_by_the_sign_in(app, admin):
    fields = form_of(page(admin, "/books/new"), "/books")
    fields |= {"title": "Emma", "description": "two\nlines"}
    admin.delete(f"/auth/sessions/{admin.get('/auth/sessions').json['sessions'][0]['id']}")
    admin.set_cookie("bookapi", "ended")
    fields["csrf_token"] = "of the ended session"
    late = admin.post("/books", data=fields, headers=BROWSER)
    assert late.status_code == 401
    kept = form_of(late, "/auth/login") | {"username": "admin", "password": "wrong"}
    kept = form_of(admin.post("/auth/login", data=kept, headers=BROWSER), "/auth/login")
    kept |= {"username": "admin", "password": PASSWORD}
    shown = admin.post("/auth/login", data=kept, headers=BROWSER)
    assert shown.status_code == 200
    again = form_of(shown, "/books")
    assert (again["title"], again["description"]) == ("Emma", "two\nlines")
    assert admin.post("/books", data=again, headers=BROWSER).status_code == 303
    assert admin.get("/books/1").json["description"] == "two\nlines"


@pytest.mark.parametrize(
    "kind, body",
    [
        ("application/json", b'{"title": "x"}'),
        ("application/xml", b"<book/>"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("text/plain", b"title=x"),
        (None, b"title=x"),
    ],
)
def test_addresses_of_forms_read_nothing_else(admin, kind, body):
    admin.post("/books", json=EMMA)
    for action in ("/books/1/edit", "/books/1/delete", "/auth/users/2/edit"):
        for headers in (BROWSER, {"Accept": "application/json"}, {}):
            answer = admin.post(action, data=body, content_type=kind, headers=headers)
            assert answer.status_code == 415, action
            assert answer.headers["Accept"] == "application/x-www-form-urlencoded"


def test_a_form_is_no_body_for_clients_of_data(admin):
    fields = form_of(page(admin, "/books/new"), "/books") | {"title": "Emma"}
    assert admin.post("/books", data=fields).status_code == 415


@pytest.mark.parametrize("body", [b"title=%ff", b"title=a&title=b", b"\xff", b"a&" * 200])
def test_a_form_that_cannot_be_read_is_reported(admin, body):
    answer = admin.post(
        "/books", data=body, content_type="application/x-www-form-urlencoded", headers=BROWSER
    )
    assert answer.status_code in (400, 422) and alert(answer)
    assert admin.get("/books").json["total"] == 0


def test_a_form_that_is_too_large_is_reported(make_app):
    client = make_app(MAX_BODY_BYTES=4096).test_client()
    sign_in(client)
    answer = send(client, "/books/new", "/books", title="Emma", description="x" * 5000)
    assert (answer.status_code, alert(answer)) == (413, "the body is too large")


# -- import ----------------------------------------------------------------------------

CSV = b"title,authors\nEmma,Jane Austen\n,Nobody\n"


def upload(client, content=CSV, name="books.csv", **typed):
    fields = {**form_of(page(client, "/books/import"), "/books/import"), **typed}
    fields["file"] = (BytesIO(content), name)
    return client.post("/books/import", data=fields, headers=BROWSER)


def test_a_file_is_checked_and_then_imported(admin):
    answer = upload(admin, dry_run="true", on_error="skip")
    assert answer.status_code == 200 and "nothing is stored yet" in answer.text
    assert parsed(answer).xpath('//dl[@class="figures"]//dd/text()') == ["2", "1", "0", "0", "1"]
    assert admin.get("/books").json["total"] == 0
    answer = upload(admin, dry_run="false", on_error="skip")
    assert "The import is done." in answer.text and admin.get("/books").json["total"] == 1


def test_an_import_that_is_rejected_shows_its_report(admin):
    answer = upload(admin, dry_run="false")
    assert answer.status_code == 422 and alert(answer)
    assert parsed(answer).xpath('//dl[@class="figures"]//dd/text()')[-1] == "1"


@pytest.mark.parametrize(
    "content, name", [(b"\x89PNG\r\n", "x.png"), (b"{", "x.json"), (b"<!DOCTYPE html>", "x.html")]
)
def test_an_upload_that_is_no_catalogue_is_reported(admin, content, name):
    answer = upload(admin, content, name)
    assert answer.status_code in (400, 415, 422) and alert(answer)
    assert "<form" in answer.text and admin.get("/books").json["total"] == 0


def test_a_file_that_is_too_large_is_reported(make_app):
    client = make_app(MAX_IMPORT_BYTES=4096).test_client()
    sign_in(client)
    answer = upload(client, b"title\n" + b"x\n" * 5000)
    assert answer.status_code == 413 and alert(answer)


def test_an_import_without_its_token_stores_nothing(admin):
    assert upload(admin, csrf_token="x").status_code == 403
    assert admin.get("/books").json["total"] == 0


# -- accounts --------------------------------------------------------------------------


def test_accounts_are_added_changed_and_deleted_by_forms(admin):
    typed = {"username": "newcomer", "password": "a fine long password 7"}
    assert send(admin, "/auth/users", "/auth/users", **typed).location.endswith("#added")
    answer = send(admin, "/auth/users", "/auth/users", username="newcomer", password="short")
    assert answer.status_code == 422 and error_at(answer, "password")
    [user] = [u for u in admin.get("/auth/users").json["users"] if u["username"] == "newcomer"]
    own = f"/auth/users/{user['id']}"
    assert send(admin, own, f"{own}/edit", role="admin", active="false").status_code == 303
    changed = admin.get(own).json
    assert (changed["role"], changed["active"]) == ("admin", False)
    assert send(admin, own, f"{own}/delete").location.endswith("/auth/users#deleted")
    assert admin.get(own).status_code == 404


def test_a_second_factor_is_shown_as_a_qr_code_with_its_secret_beside_it(admin):
    answer = send(admin, "/auth/mfa", "/auth/mfa", current_password=PASSWORD)
    tree = parsed(answer)
    [uri] = [href for href in tree.xpath("//a/@href") if href.startswith("otpauth:")]
    assert parse_qs(urlsplit(uri).query)["secret"] == tree.xpath('//code[@class="secret"]/text()')
    [picture] = tree.xpath('//*[@role="img"][@aria-label="QR code of the secret"]/svg')
    drawn = picture.xpath("./path[@stroke]/@d")
    expected = etree.HTML(segno.make_qr(uri).svg_inline(omitsize=True))
    assert drawn == expected.xpath("//path/@d")
    assert not tree.xpath("//*[@style]") and "http" not in "".join(tree.xpath("//svg//@*"))


def test_a_token_is_made_shown_once_and_revoked_by_forms(admin):
    answer = send(admin, "/auth/tokens", "/auth/tokens", name="backup", expires_at="2999-12-31")
    assert answer.status_code == 201 and answer.headers["Cache-Control"] == "no-store"
    [secret] = parsed(answer).xpath('//code[@class="secret"]/text()')
    bearer = {"Authorization": f"Bearer {secret}"}
    assert admin.application.test_client().get("/auth/me", headers=bearer).status_code == 200
    assert secret not in page(admin, "/auth/tokens").text
    [token] = admin.get("/auth/tokens").json["tokens"]
    assert token["expires_at"].startswith("2999-12-31T00:00:00")
    answer = send(admin, "/auth/tokens", f"/auth/tokens/{token['id']}/delete")
    assert answer.status_code == 303 and admin.get("/auth/tokens").json["tokens"] == []


def test_passwords_are_never_shown_again(admin):
    secret = "a secret that nobody sees"
    for action, name in (("/auth/users", "password"), ("/auth/password", "current_password")):
        shown_at = {"/auth/password": "/auth/me"}.get(action, action)
        answer = send(admin, shown_at, action, **{name: secret})
        assert answer.status_code in (403, 422) and secret not in answer.text


# -- hostile text ----------------------------------------------------------------------


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
