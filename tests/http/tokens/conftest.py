"""A token of the admin."""

import pytest

from helpers.people import (
    make_token,
)


@pytest.fixture
def token(admin):
    return make_token(admin)


@pytest.fixture
def secret(token):
    return token["secret"]
