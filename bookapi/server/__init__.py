"""Serving with waitress: listen, workers, drain.

``http``: waitress taught our refusals; ``worker``: one process that drains before it ends; ``supervisor``: several.
"""
from .supervisor import listen, run

__all__ = ["listen", "run"]
