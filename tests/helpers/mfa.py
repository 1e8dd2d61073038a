"""A second factor of an account, and the clock of its codes."""

from datetime import timedelta

import pyotp
from lxml import etree

from bookapi.auth import mfa
from bookapi.db import now
from helpers.documents import send
from helpers.instance import PASSWORD
from helpers.people import signed_in

STEP = timedelta(seconds=mfa.STEP_SECONDS)


class Clock:
    """The clock of the codes, which stands until a test moves it."""

    def __init__(self):
        self.at = now()

    def __call__(self):
        return self.at

    def code(self, secret, steps=0):
        """The code that an app shows some steps from now."""
        return pyotp.TOTP(secret).generate_otp(int(self.at.timestamp()) // mfa.STEP_SECONDS + steps)


def post_mfa(client, address, name="json", **sent):
    return send(client, "POST", address, name, sent, "mfa")


def offered(client):
    answer = post_mfa(client, "/auth/mfa", current_password=PASSWORD)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json["secret"]


def codes_in(answer):
    if "json" in answer.content_type:
        return answer.json["recovery_codes"]
    return [
        code.text for code in etree.fromstring(answer.get_data()).iterfind("recovery_codes/code")
    ]


class Factor:
    """The second factor of an account, switched on: its secret, its recovery codes and a client
    that is signed in.
    """

    def __init__(self, app, clock, username="member"):
        self.client, self.app = signed_in(app, username), app
        self.secret = offered(self.client)
        answer = post_mfa(self.client, "/auth/mfa/confirm", code=clock.code(self.secret))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        self.recovery_codes = codes_in(answer)
        clock.at += STEP  # the code of the confirmation is used up
