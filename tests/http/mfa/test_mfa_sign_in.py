"""The second factor at sign-in: codes, recovery codes, guessing, and who must have one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.http.load import LOAD, Load
from helpers.documents import faults, read, send
from helpers.instance import PASSWORD
from helpers.mfa import STEP, Factor, offered, post_mfa
from helpers.people import bearer, id_of, make_token, signed_in, stranger
from helpers.second_factor import both, login

WRONG_CODE = "the code is wrong or was used already; wait for the next one"
MISSING, WRONG = (
    "this account has a second factor: send its code, too",
    "wrong username or password",
)
# -- signing in --------------------------------------------------------------------------


@both
def test_sign_in_needs_the_code(app, clock, factor, name):
    answer = login(app, clock.code(factor.secret), name=name)
    assert (answer.status_code, read(answer)["user"]["username"]) == (200, "member")


@both
def test_only_a_correct_password_reveals_that_a_code_is_needed(app, clock, factor, name):
    right = clock.code(factor.secret)
    for password, code, reported in (
        (PASSWORD, None, MISSING),
        (PASSWORD, "" if name == "json" else None, MISSING),
        (PASSWORD, "000000", WRONG_CODE),
        ("a wrong password", None, WRONG),
        ("a wrong password", right, WRONG),
    ):
        answer = login(app, code, password=password, name=name)
        assert (answer.status_code, read(answer)["detail"]) == (401, reported), (password, code)
        assert "WWW-Authenticate" in answer.headers and "Set-Cookie" not in answer.headers
    assert login(app, right).status_code == 200


def test_a_code_and_earlier_codes_cannot_be_reused(app, clock, factor):
    clock.at += 10 * STEP
    code, before = clock.code(factor.secret), clock.code(factor.secret, -1)
    assert [login(app, given).status_code for given in (code, code, before, code)] == [
        200,
        401,
        401,
        401,
    ]
    assert login(app, clock.code(factor.secret, 1)).status_code == 200


def test_the_confirming_code_does_not_sign_in(app, clock):
    client = signed_in(app, "member")
    code = clock.code(offered(client))
    assert post_mfa(client, "/auth/mfa/confirm", code=code).status_code == 200
    assert login(app, code).status_code == 401


def test_a_code_may_be_written_in_groups(app, clock, factor):
    code = clock.code(factor.secret)
    assert login(app, f" {code[:3]} {code[3:]} ").status_code == 200


def test_a_code_is_ignored_without_a_second_factor(app):
    assert [login(app, code).status_code for code in ("123456", "", "x")] == [200] * 3


def test_a_code_must_be_text(app, subtests):
    for code in [123456, True, ["123456"], {"code": 1}]:
        with subtests.test(code=code):
            answer = app.test_client().post(
                "/auth/login", json={"username": "member", "password": PASSWORD, "code": code}
            )
            assert (answer.status_code, faults(answer)) == (422, ["code"])


def test_no_code_causes_a_crash(app, factor, subtests):
    for code in ["\x00", "x" * 900_000, "\U0001f4da", "%s", "-" * 1000]:
        with subtests.test(code=code):
            assert login(app, code).status_code == 401


def test_tokens_need_no_code(app, factor):
    """They were made by somebody who had shown one."""
    secret = make_token(factor.client, "read")["secret"]
    assert stranger(app).get("/auth/me", headers=bearer(secret)).status_code == 200


# -- recovery codes ----------------------------------------------------------------------


def test_each_recovery_code_works_once(app, factor):
    first, second = factor.recovery_codes[:2]
    assert [login(app, code).status_code for code in (first, first, second, first)] == [
        200,
        401,
        200,
        401,
    ]
    assert factor.client.get("/auth/mfa").json["recovery_codes_left"] == 8


@pytest.mark.parametrize(
    "spell",
    [
        str.upper,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f"  {code}\n",
        lambda code: code.replace("-", "–").upper(),
        lambda code: " ".join(code.replace("-", "")),
    ],
    ids=["capitals", "no hyphens", "spaces", "around", "dashes", "apart"],
)
def test_a_recovery_code_may_be_typed_with_spaces_and_lower_case(app, factor, spell):
    assert [login(app, spell(factor.recovery_codes[0])).status_code for _ in range(2)] == [200, 401]


def test_a_part_of_a_recovery_code_is_rejected(app, factor):
    code = factor.recovery_codes[0]
    for wrong in (
        code[:-1],
        code[1:],
        code + "a",
        code[::-1],
        f"{code}{code}",
        "-".join(factor.recovery_codes),
    ):
        assert login(app, wrong).status_code == 401, wrong
    assert login(app, code).status_code == 200


def test_recovery_codes_of_another_account_are_rejected(app, clock, factor):
    other = Factor(app, clock, "admin")
    assert login(app, other.recovery_codes[0]).status_code == 401
    assert login(app, other.recovery_codes[0], "admin").status_code == 200


def test_all_ten_recovery_codes_work_once(app, factor):
    assert [login(app, code).status_code for code in factor.recovery_codes] == [200] * 10
    assert factor.client.get("/auth/mfa").json["recovery_codes_left"] == 0
    assert login(app, factor.recovery_codes[0]).status_code == 401


# -- for who lost it ---------------------------------------------------------------------


def test_an_admin_can_remove_the_factor_of_an_account(app, admin, factor):
    answer = admin.delete(f"/auth/users/{id_of(app, 'member')}/mfa")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert (login(app).status_code, factor.client.get("/auth/me").status_code) == (200, 401)
    assert admin.delete(f"/auth/users/{id_of(app, 'member')}/mfa").status_code == 204


def test_an_admin_cannot_remove_the_own_factor_without_a_code(app, clock):
    factor = Factor(app, clock, "admin")
    answer = factor.client.delete(f"/auth/users/{id_of(app, 'admin')}/mfa")
    assert (answer.status_code, "/auth/mfa/disable" in answer.json["detail"]) == (403, True)
    assert login(app, username="admin").status_code == 401


@pytest.mark.parametrize("who", [None, "member"])
def test_only_admins_can_remove_the_factor_of_others(app, clock, who):
    Factor(app, clock, "admin")
    client = signed_in(app, who) if who else app.test_client()
    answer = client.delete(f"/auth/users/{id_of(app, 'admin')}/mfa")
    assert answer.status_code == (403 if who else 401)
    assert login(app, username="admin").status_code == 401


def test_a_command_removes_the_factor_of_an_account(app, runner, factor):
    assert "mfa" in runner.invoke(args=["users", "list"]).output
    reported = runner.invoke(args=["users", "mfa-off", "MEMBER"])
    assert (reported.exit_code, login(app).status_code) == (0, 200)
    assert "mfa" not in runner.invoke(args=["users", "list"]).output
    unknown = runner.invoke(args=["users", "mfa-off", "nobody"])
    assert unknown.exit_code == 1 and len(unknown.stderr.splitlines()) == 1


# -- guessing ----------------------------------------------------------------------------


def test_wrong_codes_at_the_login_are_throttled(app, clock, factor):
    statuses = [login(app, "000000").status_code for _ in range(12)]
    assert (statuses[:10], statuses[-1]) == ([401] * 10, 429)
    blocked = login(app, clock.code(factor.secret))
    assert (blocked.status_code, int(blocked.headers["Retry-After"]) > 0) == (429, True)


def test_signing_in_does_not_reset_the_throttle_of_codes(app, factor):
    """A right password without its code is a failure, too: else it would give back the tries."""
    statuses = [login(app, code).status_code for _ in range(8) for code in ("000000", None)]
    assert statuses[-1] == 429 and 200 not in statuses


def test_wrong_codes_when_activating_are_throttled(app, clock):
    client = signed_in(app, "member")
    secret = offered(client)
    statuses = [post_mfa(client, "/auth/mfa/confirm", code="000000").status_code for _ in range(12)]
    assert (statuses[:10], statuses[-1]) == ([403] * 10, 429)
    assert post_mfa(client, "/auth/mfa/confirm", code=clock.code(secret)).status_code == 429


def test_wrong_codes_when_removing_are_throttled(app, clock, factor):
    sent = {"current_password": PASSWORD, "code": "000000"}
    statuses = [post_mfa(factor.client, "/auth/mfa/disable", **sent).status_code for _ in range(12)]
    assert (statuses[:10], statuses[-1]) == ([403] * 10, 429)
    sent["code"] = clock.code(factor.secret)
    assert post_mfa(factor.client, "/auth/mfa/disable", **sent).status_code == 429


# -- ADMIN_MFA ---------------------------------------------------------------------------


@both
def test_with_required_mfa_an_admin_without_factor_can_only_set_it_up(make_app, clock, name):
    app = make_app(ADMIN_MFA=True)
    client, member = signed_in(app), signed_in(app, "member")
    answer = send(client, "POST", "/books", name, {"title": "Emma"})
    assert (answer.status_code, "/auth/mfa" in read(answer)["detail"]) == (403, True)
    assert [
        client.get(address).status_code
        for address in ("/books", "/auth/me", "/auth/users", "/auth/events")
    ] == [200, 200, 403, 403]
    assert member.get("/auth/me").status_code == 200
    factor = Factor(app, clock, "admin")
    assert send(factor.client, "POST", "/books", name, {"title": "Emma"}).status_code == 201
    token = make_token(factor.client)["secret"]
    assert stranger(app).get("/auth/users", headers=bearer(token)).status_code == 200


def test_with_required_mfa_older_tokens_of_an_admin_without_factor_are_rejected(make_app, clock):
    app = make_app(ADMIN_MFA=True)
    headers = bearer(make_token(signed_in(app))["secret"])
    before = stranger(app).post("/books", json={"title": "a"}, headers=headers).status_code
    Factor(app, clock, "admin")
    assert (
        before,
        stranger(app).post("/books", json={"title": "a"}, headers=headers).status_code,
    ) == (403, 201)


def test_removing_a_required_factor_takes_effect_at_once(make_app, clock):
    app = make_app(ADMIN_MFA=True)
    factor = Factor(app, clock, "admin")
    headers = bearer(make_token(factor.client)["secret"])
    assert factor.client.get("/auth/users").status_code == 200
    post_mfa(
        factor.client,
        "/auth/mfa/disable",
        current_password=PASSWORD,
        code=clock.code(factor.secret),
    )
    assert [
        factor.client.get("/auth/users").status_code,
        stranger(app).get("/auth/users", headers=headers).status_code,
    ] == [403, 403]


# -- side by side ------------------------------------------------------------------------


def test_concurrent_logins_with_one_code_admit_one(app, clock, factor):
    app.extensions[LOAD] = Load(threads=100)
    code = clock.code(factor.secret)
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: login(app, code).status_code, range(4)))
    assert sorted(statuses) == [200, 401, 401, 401]


def test_a_used_code_stays_used_if_the_clock_is_set_back(app, clock, factor):
    clock.at += 100 * STEP
    assert login(app, clock.code(factor.secret)).status_code == 200
    clock.at -= 50 * STEP
    assert login(app, clock.code(factor.secret)).status_code == 401
    assert login(app, factor.recovery_codes[0]).status_code == 200
