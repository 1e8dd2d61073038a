"""Accounts changed and deleted by admins. docs/api.md, Users and events."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.auth.models import LoginSession, Token, User
from helpers.accounts import alter, both, login, make
from helpers.documents import TYPES, faults, read
from helpers.instance import PASSWORD
from helpers.people import (
    NEW,
    add,
    bearer,
    change_account,
    get,
    id_of,
    make_token,
    rows,
    signed_in,
    stranger,
    truth,
)


def me(client):
    return client.get("/auth/me").status_code


@pytest.fixture
def admin_id(app):
    return id_of(app, "admin")


# -- changing ----------------------------------------------------------------------------


@both
def test_only_the_sent_fields_change(app, admin, member_id, name):
    before = read(get(admin, f"/auth/users/{member_id}", name))
    for sent in ({"role": "admin"}, {"active": False}, {"active": True, "role": "member"}):
        answer = alter(admin, member_id, name, **sent)
        reported = {
            field: truth(name, value) if isinstance(value, bool) else value
            for field, value in sent.items()
        }
        before |= reported
        assert (answer.status_code, read(answer)) == (200, before)
    assert read(get(admin, f"/auth/users/{member_id}", name)) == before


def test_a_change_without_effect_ends_no_session(app, admin, member_id, subtests):
    for name in ("json", "xml"):
        with subtests.test(name=name):
            member = signed_in(app, "member")
            for sent in (
                {},
                {"role": "member"},
                {"active": True},
                {"role": "member", "active": True},
            ):
                assert alter(admin, member_id, name, **sent).status_code == 200
            assert me(member) == 200


def test_an_invalid_change_is_a_422_and_changes_nothing(app, admin, member_id, subtests):
    for name in ("json", "xml"):
        for sent, fields in [
            ({"username": "carol"}, ["username"]),
            ({"id": 3}, ["id"]),
            ({"created_at": None}, ["created_at"]),
            ({"role": "king"}, ["role"]),
            ({"role": None}, ["role"]),
            ({"active": None}, ["active"]),
            ({"active": "yes"}, ["active"]),
            ({"active": "1"}, ["active"]),
            ({"active": "True"}, ["active"]),
            ({"active": 0}, ["active"]),
            ({"password": None}, ["password"]),
            ({"password": "short"}, ["password"]),
            ({"password": "member-member-member"}, ["password"]),
            ({"password_hash": "x"}, ["password_hash"]),
            ({"role": "king", "active": "maybe", "colour": "red"}, ["active", "colour", "role"]),
        ]:
            with subtests.test(name=name, sent=sent, fields=fields):
                member = signed_in(app, "member")
                answer = alter(admin, member_id, name, **sent)
                assert (answer.status_code, sorted(faults(answer))) == (422, fields)
                assert (me(member), login(app, "member")) == (200, 200)


@pytest.mark.parametrize("body", [b'{"active": "false"}', b'{"active": false}'])
def test_booleans_may_be_sent_as_text(admin, member_id, body):
    answer = admin.patch(
        f"/auth/users/{member_id}", data=body, content_type="application/merge-patch+json"
    )
    assert (answer.status_code, answer.json["active"]) == (200, False)


@both
@pytest.mark.parametrize("sent", [{"role": "admin"}, {"active": False}, {"password": NEW}])
def test_a_change_of_rights_ends_the_sessions_of_that_account_only(
    app, admin, member_id, name, sent
):
    member, other = signed_in(app, "member"), signed_in(app, "admin")
    assert alter(admin, member_id, name, **sent).status_code == 200
    assert [me(client) for client in (member, other, admin)] == [401, 200, 200]


def test_a_password_set_by_an_admin_replaces_the_old_one(app, admin, member_id):
    assert alter(admin, member_id, password=NEW).status_code == 200
    assert [login(app, "member", password) for password in (PASSWORD, NEW)] == [401, 200]


@both
def test_an_admin_needs_the_current_password_to_change_the_own_one(app, admin, admin_id, name):
    """Who finds an admin's open session shall not be able to keep the account."""
    other = signed_in(app)
    for sent in ({"password": NEW}, {"password": NEW, "role": "member"}):
        answer = alter(admin, admin_id, name, **sent)
        assert (answer.status_code, "/auth/password" in read(answer)["detail"]) == (403, True)
    assert (me(admin), me(other), login(app, "admin", NEW), login(app, "admin")) == (
        200,
        200,
        401,
        200,
    )


def test_a_change_is_atomic(app, admin, member_id):
    for sent in (
        {"role": "admin", "password": "short"},
        {"active": False, "password": "short"},
        {"password": NEW, "role": "king"},
    ):
        assert alter(admin, member_id, **sent).status_code == 422
    reported = get(admin, f"/auth/users/{member_id}").json
    assert (reported["role"], reported["active"], login(app, "member")) == ("member", True, 200)


@both
def test_several_fields_change_at_once(app, admin, member_id, name):
    reported = read(alter(admin, member_id, name, role="admin", active=False, password=NEW))
    assert (reported["role"], reported["active"]) == ("admin", truth(name, False))
    assert alter(admin, member_id, name, active=True).status_code == 200
    assert [login(app, "member", password) for password in (PASSWORD, NEW)] == [401, 200]


# -- the last admin ----------------------------------------------------------------------

LOSSES = [("PATCH", {"role": "member"}), ("PATCH", {"active": False}), ("DELETE", {})]


def lose(client, user_id, name, method, sent):
    if method == "DELETE":
        return client.delete(f"/auth/users/{user_id}", headers={"Accept": TYPES[name]})
    return alter(client, user_id, name, **sent)


@both
@pytest.mark.parametrize("method, sent", LOSSES)
def test_the_last_active_admin_cannot_be_removed(app, admin, admin_id, name, method, sent):
    add(app, "shut-out", "admin")  # a disabled admin administers nothing
    change_account(app, "shut-out", {"active": False})
    answer = lose(admin, admin_id, name, method, sent)
    assert (answer.status_code, read(answer)["status"]) == (409, 409 if name == "json" else "409")
    assert (me(admin), get(admin, f"/auth/users/{admin_id}").json["active"]) == (200, True)


@both
@pytest.mark.parametrize("method, sent", LOSSES)
def test_one_of_two_admins_can_be_removed_but_not_both(app, admin, admin_id, name, method, sent):
    second = add(app, "second", "admin")
    assert lose(admin, second, name, method, sent).status_code in (200, 204)
    assert lose(admin, admin_id, name, method, sent).status_code == 409
    assert me(admin) == 200


@both
@pytest.mark.parametrize("method, sent", LOSSES)
def test_an_admin_may_give_up_own_rights_if_there_is_another(
    app, admin, admin_id, name, method, sent
):
    add(app, "second", "admin")
    assert lose(admin, admin_id, name, method, sent).status_code in (200, 204)
    assert me(admin) == 401 and admin.get("/auth/users").status_code == 401


def test_if_two_admins_demote_each_other_the_second_fails(app, admin, admin_id):
    second_id = add(app, "second", "admin")
    second = signed_in(app, "second")
    assert alter(admin, second_id, role="member").status_code == 200
    assert alter(second, admin_id, role="member").status_code in (401, 403)
    assert me(admin) == 200


@pytest.mark.parametrize("method, sent", LOSSES)
def test_if_two_admins_remove_each_other_concurrently_one_stays(app, method, sent):
    names = ("first", "second")
    ids = {name: add(app, name, "admin") for name in names}
    change_account(app, "admin", {"role": "member"})
    pairs = [(signed_in(app, name), ids[other]) for name, other in (names, names[::-1])]
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(
            pool.map(lambda pair: lose(*pair, "json", method, sent).status_code, pairs)
        )
    assert statuses[0] in (200, 204) and statuses[1] in (401, 403, 404, 409)
    assert len([user for user in rows(app, User) if user.role == "admin" and user.active]) == 1


def test_a_disabled_admin_can_be_deleted_and_a_member_is_no_admin(app, admin, member_id):
    shut_out = add(app, "shut-out", "admin")
    change_account(app, "shut-out", {"active": False})
    assert [
        admin.delete(f"/auth/users/{user_id}").status_code for user_id in (shut_out, member_id)
    ] == [204, 204]


# -- deleting ----------------------------------------------------------------------------


def test_a_deleted_account_is_gone_with_its_sessions_and_tokens(app, admin, member_id):
    member = signed_in(app, "member")
    token = make_token(member, "read")
    answer = admin.delete(f"/auth/users/{member_id}")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert (me(member), login(app, "member")) == (401, 401)
    assert stranger(app).get("/auth/me", headers=bearer(token["secret"])).status_code == 401
    assert (rows(app, Token), {session.user_id for session in rows(app, LoginSession)}) == (
        [],
        {id_of(app, "admin")},
    )
    answers = [
        admin.open(f"/auth/users/{member_id}", method=method) for method in ("GET", "DELETE")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]


@both
def test_the_history_keeps_the_name_of_a_deleted_account(app, admin, name):
    second_id = add(app, "second", "admin")
    book = signed_in(app, "second").post("/books", json={"title": "Emma"}).json
    assert admin.delete(f"/auth/users/{second_id}").status_code == 204
    reported = get(admin, f"/books/{book['id']}/history", name).get_data(as_text=True)
    assert "second" in reported


def test_ids_are_never_reused(admin):
    ids = []
    for number in range(3):
        ids.append(make(admin, username=f"person-{number}").json["id"])
        admin.delete(f"/auth/users/{ids[-1]}")
    assert ids == sorted(set(ids))
    assert {admin.get(f"/auth/users/{each}").status_code for each in ids} == {404}


def test_a_new_account_of_the_same_name_is_another_one(app, admin, member_id):
    old = signed_in(app, "member")
    token = make_token(old)
    admin.delete(f"/auth/users/{member_id}")
    made = make(admin, username="member").json
    new = signed_in(app, "member")
    assert made["username"] == "member"
    assert (
        me(old),
        stranger(app).get("/auth/me", headers=bearer(token["secret"])).status_code,
    ) == (401, 401)
    assert (new.get("/auth/tokens").json["tokens"], new.get("/auth/sessions").json["total"]) == (
        [],
        1,
    )


def test_an_admin_can_end_all_sessions_of_an_account(app, admin, member_id):
    clients = [signed_in(app, "member") for _ in range(3)]
    answer = admin.delete(f"/auth/users/{member_id}/sessions")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert ([me(client) for client in clients], me(admin), login(app, "member")) == (
        [401] * 3,
        200,
        200,
    )


def test_an_admin_can_end_all_own_sessions(app, admin, admin_id):
    assert admin.delete(f"/auth/users/{admin_id}/sessions").status_code == 204
    assert (me(admin), login(app, "admin")) == (401, 200)
