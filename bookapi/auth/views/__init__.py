"""Accounts over HTTP: ``door``: in and out; ``own``: what is one's own; ``administration``: everybody's."""

from . import administration, door, own

BLUEPRINTS = (door.blueprint, own.blueprint, administration.blueprint)
