"""Who may: one mark on every view. A view without a mark stops the service from starting (default deny)."""
import functools

from flask import Flask, current_app
from flask_login import current_user, login_required as _login_required

from ..answers import cacheable
from ..problems import Problem
from .models import ADMIN


def _marked(view, who: str):
    view.access = who
    return view


def public(view):
    """Anyone may."""
    return _marked(view, "anyone")


def login_required(view):
    """Whoever is signed in may; else 401."""
    return _marked(_login_required(view), "signed in")


def admin_required(view):
    """Admins may; else 401 or 403, before anything of the body is looked at."""
    @functools.wraps(view)
    def guarded(*args, **kwargs):
        _refuse_others()
        return view(*args, **kwargs)
    return _marked(_login_required(guarded), "admin")


def _refuse_others() -> None:
    if current_user.role != ADMIN:
        raise Problem(403, "only an admin may do this")


# In a view that not all of is for everyone: go on for an admin, else 401 or 403.
require_admin = _login_required(_refuse_others)


def reader_required(view):
    """Anyone may while PUBLIC_READ is true; else whoever is signed in."""
    @functools.wraps(view)
    def guarded(*args, **kwargs):
        if current_app.config["PUBLIC_READ"]:
            return view(*args, **kwargs)
        return _login_required(view)(*args, **kwargs)
    return cacheable(_marked(guarded, "reader"))


def check(app: Flask) -> None:
    """Raises RuntimeError for a route that does not say who may."""
    silent = [endpoint for endpoint, view in app.view_functions.items() if not hasattr(view, "access")]
    if silent:
        raise RuntimeError(f"these views do not say who may: {', '.join(silent)}")
