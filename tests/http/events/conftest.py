"""An application whose log is read."""

import pytest

from helpers.event_log import Lines


@pytest.fixture(params=["text", "json"])
def form(request):
    return request.param


@pytest.fixture
def logged(form, make_app):
    """(an application, its lines)"""
    app = make_app(LOG_FORMAT=form)
    return app, Lines(app, form)
