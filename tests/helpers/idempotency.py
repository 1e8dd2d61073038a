"""Answers kept for an Idempotency-Key."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bookapi.db import Base, db

KEYS = Base.metadata.tables  # looked up when used: `idempotency_keys` has no class


SAME = ("Location", "ETag", "Content-Type", "Content-Length", "Vary", "Cache-Control")


def given(answer):
    """All of an answer that is the same when it is given again."""
    return answer.status_code, answer.get_data(), {name: answer.headers.get(name) for name in SAME}


def kept(app):
    """How many answers are kept."""
    with app.app_context(), Session(db.engine) as session:
        return session.scalar(select(func.count()).select_from(KEYS["idempotency_keys"]))


def as_admin(app, admin):
    """A function that makes another client of the admin's session."""
    cookie = f"bookapi={admin.get_cookie('bookapi').value}"

    def client():
        made = app.test_client(use_cookies=False)
        made.environ_base["HTTP_COOKIE"] = cookie
        return made

    return client
