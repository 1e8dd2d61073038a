"""The ids of the accounts that every test has."""

import pytest

from helpers.people import id_of


@pytest.fixture
def member_id(app):
    return id_of(app, "member")
