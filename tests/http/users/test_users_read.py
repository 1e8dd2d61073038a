"""Accounts as admins see them, and what nobody is told. docs/api.md, Users and events."""

import time

from bookapi.auth import accounts
from bookapi.auth.models import User
from helpers.accounts import FIELDS, alter, both, make
from helpers.documents import faults, read, send
from helpers.instance import PASSWORD
from helpers.people import (
    NEW,
    NO_ID,
    add,
    bearer,
    change_account,
    cookie_of,
    get,
    make_token,
    page,
    rows,
    signed_in,
    stranger,
    usernames,
)

# -- reading -----------------------------------------------------------------------------


@both
def test_the_accounts_are_a_list_with_pages(app, admin, name):
    for number in range(5):
        add(app, f"user-{number}")
    answer = get(admin, "/auth/users?limit=3&page=2", name)
    reported = page(answer, "users")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert [user["username"] for user in reported["users"]] == ["user-1", "user-2", "user-3"]
    assert {list(user) == FIELDS for user in reported["users"]} == {True}
    assert (int(reported["total"]), int(reported["limit"])) == (7, 3)
    base = "http://localhost/auth/users?limit=3&page="
    assert reported["links"] == {
        "self": base + "2",
        "first": base + "1",
        "prev": base + "1",
        "next": base + "3",
        "last": base + "3",
    }
    assert answer.headers["Link"] == ", ".join(
        f'<{base}{number}>; rel="{relation}"'
        for relation, number in (("first", 1), ("prev", 1), ("next", 3), ("last", 3))
    )


def test_every_account_is_on_one_page_and_one_beyond_the_last_is_empty(app, admin):
    for number in range(45):
        add(app, f"user-{number}")
    seen, address = [], "/auth/users"
    while address:
        reported = admin.get(address).json
        seen += [user["id"] for user in reported["users"]]
        address = reported["links"].get("next")
    assert len(seen) == len(set(seen)) == 47 and seen == sorted(seen)
    beyond = admin.get("/auth/users?page=4")
    assert (beyond.status_code, beyond.json["users"], beyond.json["total"]) == (200, [], 47)


def test_a_wrong_or_unknown_parameter_is_a_400_that_names_it(admin, subtests):
    for name in ("json", "xml"):
        for address in ["/auth/users", "/auth/events", "/auth/tokens", "/auth/sessions"]:
            for query, parameters in [
                ("limit=0", ["limit"]),
                ("limit=101", ["limit"]),
                ("limit=x", ["limit"]),
                ("page=0", ["page"]),
                ("page=-1", ["page"]),
                ("page=1e3", ["page"]),
                ("limit=", ["limit"]),
                ("q=a", ["q"]),
                ("user_id=1", ["user_id"]),
                ("limit=1&limit=2", ["limit"]),
                ("cursor=*", ["cursor"]),
                ("limit=x&page=y&z=1", ["z", "limit", "page"]),
            ]:
                with subtests.test(name=name, address=address, query=query, parameters=parameters):
                    answer = get(admin, f"{address}?{query}", name)
                    assert (answer.status_code, sorted(faults(answer))) == (400, sorted(parameters))


def test_a_list_has_no_other_format_and_an_unknown_one_is_a_406(admin, subtests):
    for address in ["/auth/users", "/auth/events", "/auth/tokens", "/auth/sessions"]:
        with subtests.test(address=address):
            assert admin.get(f"{address}?format=xml").mimetype == "application/xml"
            assert [
                admin.get(address, headers={"Accept": kind}).status_code
                for kind in ("text/csv", "a/b")
            ] == [406] * 2
            assert admin.head(address).status_code == 200


def test_one_account_can_be_read(admin, member_id, subtests):
    for name in ("json", "xml"):
        with subtests.test(name=name):
            reported = read(get(admin, f"/auth/users/{member_id}", name))
            assert (list(reported), reported["username"], str(reported["id"])) == (
                FIELDS,
                "member",
                str(member_id),
            )


def test_an_unknown_account_is_a_404(admin, subtests):
    for name in ("json", "xml"):
        for method, more in [
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("DELETE", "/sessions"),
            ("DELETE", "/mfa"),
        ]:
            with subtests.test(name=name, method=method, more=more):
                for user_id in (9_999, NO_ID):
                    answer = send(
                        admin,
                        method,
                        f"/auth/users/{user_id}{more}",
                        name,
                        {"role": "admin"},
                        "user",
                    )
                    assert (answer.status_code, "problem" in answer.content_type) == (404, True)


def test_an_unknown_account_is_reported_before_an_invalid_body(admin):
    assert alter(admin, NO_ID, role="king").status_code == 404
    assert (
        admin.patch(f"/auth/users/{NO_ID}", data=b"{", content_type="application/json").status_code
        == 400
    )


# -- what is never reported --------------------------------------------------------------


@both
def test_no_response_contains_a_password_or_a_hash(app, admin, member_id, name):
    answers = [
        make(admin, name),
        make(admin, name),
        make(admin, name, username="ab"),
        make(admin, name, username="dave", password="short but secret"[:14]),
        alter(admin, member_id, name, password=NEW),
        alter(admin, member_id, name, password=NEW[:14]),
        *(
            get(admin, address, name)
            for address in ("/auth/users", f"/auth/users/{member_id}", "/auth/events")
        ),
    ]
    reported = b"".join(answer.get_data() for answer in answers).decode()
    hashes = [user.password_hash for user in rows(app, User)]
    for secret in (PASSWORD, NEW[:14], "short but secr", "argon2", *hashes):
        assert secret not in reported
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


def test_a_change_by_a_meanwhile_demoted_admin_is_rejected(app, admin, monkeypatch):
    """The right is looked at again where the change is made: it may have gone since the request
    began.
    """
    add(app, "second", "admin")
    hashed = accounts.passwords.make_hash

    def demoted_meanwhile(password):
        change_account(app, "admin", {"role": "member"})
        return hashed(password)

    monkeypatch.setattr(accounts.passwords, "make_hash", demoted_meanwhile)
    assert make(admin).status_code in (401, 403)
    assert "carol" not in usernames(app)


def test_the_cookie_of_a_deleted_account_is_invalid_for_a_new_one(app, admin, member_id):
    old = cookie_of(signed_in(app, "member"))
    admin.delete(f"/auth/users/{member_id}")
    add(app, "carol", "admin")
    signed_in(app, "carol")
    assert stranger(app).get("/auth/me", headers=old).status_code == 401


def test_all_tokens_of_an_account_are_revoked_at_once(app, admin, member_id):
    secrets = [make_token(signed_in(app, "member"))["secret"] for _ in range(2)]
    own = make_token(admin)["secret"]
    assert admin.delete(f"/auth/users/{member_id}/tokens").status_code == 204
    assert [
        stranger(app).get("/auth/me", headers=bearer(secret)).status_code
        for secret in (*secrets, own)
    ] == [401, 401, 200]
    assert admin.get("/auth/events?action=tokens_revoked").json["events"][0]["username"] == "member"
    assert admin.delete("/auth/users/999/tokens").status_code == 404


def test_a_username_of_many_combining_characters_is_rejected_quickly(admin):
    seconds = []
    for _ in range(3):
        begun = time.thread_time()
        answer = admin.post(
            "/auth/users", json={"username": "a" + "\u0315\u0300" * 20_000, "password": NEW}
        )
        seconds.append(time.thread_time() - begun)
        assert answer.status_code == 422
    assert min(seconds) < 0.3, seconds
