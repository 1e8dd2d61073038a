"""The second factor: codes of an app by time, and recovery codes (RFC 6238)."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest

from bookapi.auth import mfa
from bookapi.auth.models import User
from bookapi.http.load import LOAD, Load
from helpers.documents import faults, read, send
from helpers.instance import PASSWORD
from helpers.mfa import STEP, Factor, codes_in, offered, post_mfa
from helpers.people import (
    NEW,
    add,
    bearer,
    get,
    id_of,
    make_token,
    rows,
    signed_in,
    stranger,
    truth,
)

both = pytest.mark.parametrize("name", ["json", "xml"])
WRONG_CODE = "the code is wrong or was used already; wait for the next one"
MISSING, WRONG = (
    "this account has a second factor: send its code, too",
    "wrong username or password",
)


def login(app, code=None, username="member", password=PASSWORD, name="json", **more):
    sent = {"username": username, "password": password, **({} if code is None else {"code": code})}
    return send(stranger(app, **more), "POST", "/auth/login", name, sent, "login")


# -- the codes -------------------------------------------------------------------------


def test_codes_equal_the_rfc_6238_test_vectors(clock, subtests):
    """RFC 6238, appendix B, for SHA-1; six digits are the last of eight."""
    for seconds, code in [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ]:
        with subtests.test(seconds=seconds, code=code):
            clock.at = datetime.fromtimestamp(seconds, UTC)
            secret = base64.b32encode(b"12345678901234567890").decode()
            assert mfa.step_of(secret, code[-6:]) == seconds // 30
            assert (
                mfa.step_of(secret, code) is None and mfa.step_of(secret, code[:6]) != seconds // 30
            )


@pytest.mark.parametrize(
    "steps, right", [(-2, False), (-1, True), (0, True), (1, True), (2, False), (-100, False)]
)
def test_a_clock_may_be_off_by_one_step(app, clock, factor, steps, right):
    clock.at += 10 * STEP
    answer = login(app, clock.code(factor.secret, steps))
    assert answer.status_code == (200 if right else 401)


def test_an_invalid_code_is_rejected(clock, subtests):
    for code in [
        "",
        " ",
        "000000x",
        "0",
        "12345",
        "1234567",
        "-12345",
        "+12345",
        "1e5",
        "１２３４５６",
        "٠١٢٣٤٥",
        "\x00",
        "\ud800",
        "x" * 100_000,
        "' OR 1=1 --",
        "null",
    ]:
        with subtests.test(code=code):
            secret = pyotp.random_base32()
            assert mfa.step_of(secret, code) is None
            assert mfa.hash_of(code) not in map(mfa.hash_of, mfa.new_recovery_codes())


def test_a_secret_and_recovery_codes_cannot_be_guessed():
    secrets, codes = {mfa.new_secret() for _ in range(20)}, mfa.new_recovery_codes()
    assert len(secrets) == 20 and {len(base64.b32decode(secret)) for secret in secrets} == {20}
    assert len(set(codes)) == mfa.RECOVERY_CODES and {
        len(code.replace("-", "")) for code in codes
    } == {24}


# -- switching it on -------------------------------------------------------------------


@both
def test_a_second_factor_is_active_after_its_first_correct_code(app, clock, name):
    client = signed_in(app, "member")
    answer = post_mfa(client, "/auth/mfa", name, current_password=PASSWORD)
    reported = read(answer)
    assert (answer.status_code, list(reported), answer.headers["Cache-Control"]) == (
        200,
        ["secret", "uri"],
        "no-store",
    )
    assert read(get(client, "/auth/mfa", name))["enabled"] == truth(name, False)
    assert login(app).status_code == 200
    confirmed = post_mfa(client, "/auth/mfa/confirm", name, code=clock.code(reported["secret"]))
    codes = codes_in(confirmed)
    assert (confirmed.status_code, len(set(codes)), confirmed.headers["Cache-Control"]) == (
        200,
        10,
        "no-store",
    )
    assert login(app).status_code == 401
    state = read(get(client, "/auth/mfa", name))
    assert (state["enabled"], str(state["recovery_codes_left"])) == (truth(name, True), "10")


def test_the_otpauth_uri_is_valid(app, clock):
    add(app, "Zoë:K&M")
    reported = post_mfa(signed_in(app, "Zoë:K&M"), "/auth/mfa", current_password=PASSWORD).json
    parts = urlsplit(reported["uri"])
    assert (parts.scheme, parts.netloc, parse_qs(parts.query)["secret"]) == (
        "otpauth",
        "totp",
        [reported["secret"]],
    )
    assert unquote(parts.path) == "/bookapi:Zoë:K&M" and parse_qs(parts.query)["issuer"] == [
        "bookapi"
    ]
    assert pyotp.parse_uri(reported["uri"]).now() == pyotp.TOTP(reported["secret"]).now()


def test_setting_up_a_factor_needs_the_current_password(app, subtests):
    for name in ("json", "xml"):
        for sent, status, fields in [
            ({"current_password": "a wrong password"}, 403, []),
            ({"current_password": None}, 422, ["current_password"]),
            ({}, 422, ["current_password"]),
            ({"current_password": PASSWORD, "code": "1"}, 422, ["code"]),
        ]:
            with subtests.test(name=name, sent=sent, status=status, fields=fields):
                answer = post_mfa(signed_in(app, "member"), "/auth/mfa", name, **sent)
                assert (answer.status_code, faults(answer)) == (status, fields)
                assert {user.totp_offered for user in rows(app, User)} == {None}


@both
def test_a_wrong_code_confirms_nothing(app, clock, name):
    client = signed_in(app, "member")
    secret = offered(client)
    for code in ("000000", clock.code(secret, 5), clock.code(pyotp.random_base32())):
        assert post_mfa(client, "/auth/mfa/confirm", name, code=code).status_code == 403
    assert login(app).status_code == 200
    assert post_mfa(client, "/auth/mfa/confirm", name, code=clock.code(secret)).status_code == 200


def test_confirming_without_an_offer_is_rejected(app, subtests):
    for name in ("json", "xml"):
        with subtests.test(name=name):
            answer = post_mfa(signed_in(app, "member"), "/auth/mfa/confirm", name, code="123456")
            assert (answer.status_code, "/auth/mfa" in read(answer)["detail"]) == (409, True)
            assert post_mfa(signed_in(app, "member"), "/auth/mfa/confirm", name).status_code == 422


def test_only_the_newest_offer_is_valid(app, clock):
    client = signed_in(app, "member")
    first, second = offered(client), offered(client)
    assert first != second
    statuses = [
        post_mfa(client, "/auth/mfa/confirm", code=clock.code(secret)).status_code
        for secret in (first, second)
    ]
    assert statuses == [403, 200]


@both
def test_an_active_factor_cannot_be_replaced_with_the_password_alone(app, clock, factor, name):
    answer = post_mfa(factor.client, "/auth/mfa", name, current_password=PASSWORD)
    assert (answer.status_code, "/auth/mfa/disable" in read(answer)["detail"]) == (409, True)
    assert (
        post_mfa(
            factor.client, "/auth/mfa/confirm", name, code=clock.code(factor.secret)
        ).status_code
        == 409
    )
    assert login(app, clock.code(factor.secret)).status_code == 200


def test_activating_a_factor_ends_other_sessions(app, clock):
    other, foreign = signed_in(app, "member"), signed_in(app)
    own = Factor(app, clock).client
    assert [client.get("/auth/me").status_code for client in (own, other, foreign)] == [
        200,
        401,
        200,
    ]


def test_the_secret_and_recovery_codes_are_shown_once(app, factor):
    reported = [
        factor.client.get(address).get_data(as_text=True) for address in ("/auth/mfa", "/auth/me")
    ]
    reported.append(
        signed_in(app).get(f"/auth/users/{id_of(app, 'member')}").get_data(as_text=True)
    )
    assert not any(
        secret in text for text in reported for secret in (factor.secret, *factor.recovery_codes)
    )
    [kept] = [user for user in rows(app, User) if user.username == "member"]
    assert not any(code in str(kept.recovery_hashes) for code in factor.recovery_codes)


# -- signing in ------------------------------------------------------------------------


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


# -- recovery codes --------------------------------------------------------------------


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


# -- switching it off ------------------------------------------------------------------


@both
@pytest.mark.parametrize("how", ["app", "recovery"])
def test_a_factor_is_removed_with_the_password_and_a_code(app, clock, factor, name, how):
    other = signed_in(app, "member", code=factor.recovery_codes[1])
    code = clock.code(factor.secret) if how == "app" else factor.recovery_codes[0]
    answer = post_mfa(
        factor.client, "/auth/mfa/disable", name, current_password=PASSWORD, code=code
    )
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert (login(app).status_code, read(get(factor.client, "/auth/mfa", name))["enabled"]) == (
        200,
        truth(name, False),
    )
    assert [client.get("/auth/me").status_code for client in (factor.client, other)] == [200, 401]


def test_the_password_or_a_code_alone_does_not_remove_a_factor(app, clock, factor, subtests):
    for name in ("json", "xml"):
        for sent, status, fields in [
            ({"current_password": "a wrong password", "code": "right"}, 403, []),
            ({"code": "right"}, 422, ["current_password"]),
            ({"current_password": PASSWORD, "code": "000000"}, 403, []),
            ({"current_password": PASSWORD}, 422, ["code"]),
            ({}, 422, ["code", "current_password"]),
        ]:
            with subtests.test(name=name, sent=sent, status=status, fields=fields):
                given = (
                    {**sent, "code": clock.code(factor.secret)}
                    if sent.get("code") == "right"
                    else sent
                )
                answer = post_mfa(factor.client, "/auth/mfa/disable", name, **given)
                assert (answer.status_code, sorted(faults(answer))) == (status, fields)
                assert (login(app).status_code, factor.client.get("/auth/mfa").json["enabled"]) == (
                    401,
                    True,
                )


def test_a_used_code_does_not_remove_a_factor(app, clock, factor):
    code = clock.code(factor.secret)
    assert login(app, code).status_code == 200
    assert (
        post_mfa(
            factor.client, "/auth/mfa/disable", current_password=PASSWORD, code=code
        ).status_code
        == 403
    )


def test_removing_a_missing_factor_is_rejected(app, subtests):
    for name in ("json", "xml"):
        with subtests.test(name=name):
            client = signed_in(app, "member")
            sent = {"current_password": PASSWORD, "code": "123456"}
            assert post_mfa(client, "/auth/mfa/disable", name, **sent).status_code == 409


def test_a_new_factor_has_its_own_codes(app, clock, factor):
    post_mfa(
        factor.client,
        "/auth/mfa/disable",
        current_password=PASSWORD,
        code=clock.code(factor.secret),
    )
    clock.at += STEP
    newer = Factor(app, clock)
    assert [
        login(app, code).status_code
        for code in (
            factor.recovery_codes[0],
            clock.code(factor.secret),
            newer.recovery_codes[0],
            clock.code(newer.secret),
        )
    ] == [401, 401, 200, 200]


def test_a_new_password_keeps_the_factor(app, clock, factor):
    sent = {"current_password": PASSWORD, "new_password": NEW}
    assert factor.client.post("/auth/password", json=sent).status_code == 204
    assert [
        login(app, code, password=NEW).status_code for code in (None, clock.code(factor.secret))
    ] == [401, 200]


# -- for who lost it -------------------------------------------------------------------


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


# -- guessing --------------------------------------------------------------------------


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


# -- ADMIN_MFA -------------------------------------------------------------------------


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


# -- side by side ----------------------------------------------------------------------


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
