"""Serving with waitress: listen, workers, drain.

``listening``: the door; ``http``: waitress taught our refusals;
``worker``: one process that drains before it ends; ``supervisor``: several.
"""
from .listening import listen
from .supervisor import run

__all__ = ["listen", "run"]
