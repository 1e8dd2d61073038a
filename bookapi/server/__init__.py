"""Serving with waitress: listen, workers, drain.

``listening``: the socket; ``parsing`` and ``answering``: how requests come in and answers go out; ``proxy``: whom the
one in front speaks for; ``load`` and ``pace``: who is told to come again, who is too slow; ``http``: all that as one
server; ``worker``: one process that drains before it ends; ``supervisor``: several.
"""

from .listening import listen
from .supervisor import run

__all__ = ["listen", "run"]
