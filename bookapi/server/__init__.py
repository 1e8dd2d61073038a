"""Serving with waitress: a supervisor that keeps workers running, and the workers.

``command``: the options of ``bookapi serve``; ``listening``: the socket; ``supervisor``: starts,
replaces and stops the workers, and loads nothing of the application; ``worker``: one process that
serves the application and drains on SIGTERM.
"""

from .command import command, is_first_worker, supervise, work
from .supervisor import WORKER

__all__ = ["WORKER", "command", "is_first_worker", "supervise", "work"]
