"""Accounts over HTTP: ``door``: in and out; ``own``: what is one's own; ``administration``: everybody's."""

from . import administration, login, own

BLUEPRINTS = (login.blueprint, own.blueprint, administration.blueprint)
