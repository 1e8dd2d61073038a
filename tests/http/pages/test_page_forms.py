"""Forms of pages: books and imports. docs/api.md, HTML."""

from io import BytesIO

import pytest

from helpers.instance import PASSWORD
from helpers.pages import BROWSER, EMMA, alert, error_at, form_of, page, parsed, send, sign_in

# -- forms -------------------------------------------------------------------------------

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


# -- import ------------------------------------------------------------------------------

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
