"""The second factor: codes of an app by time (RFC 6238), switched on and off."""

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest

from bookapi.auth import mfa
from bookapi.auth.models import User
from helpers.documents import faults, read
from helpers.instance import PASSWORD
from helpers.mfa import STEP, Factor, codes_in, offered, post_mfa
from helpers.people import (
    NEW,
    add,
    get,
    id_of,
    rows,
    signed_in,
    truth,
)
from helpers.second_factor import both, login

# -- the codes ---------------------------------------------------------------------------


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


# -- switching it on ---------------------------------------------------------------------


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


# -- switching it off --------------------------------------------------------------------


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
