"""Pages for signing in and for accounts. docs/api.md, HTML."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from lxml import etree

from helpers.instance import PASSWORD
from helpers.pages import (
    BROWSER,
    EMMA,
    PRIVATE,
    alert,
    error_at,
    form_of,
    page,
    parsed,
    send,
    sign_in,
)

JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
# -- sign-in -----------------------------------------------------------------------------


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


# -- accounts ----------------------------------------------------------------------------


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
