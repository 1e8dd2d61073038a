"""Serving with waitress: a supervisor that keeps workers running, and the workers.

``command``: the options of ``bookapi serve``; ``listening``: the socket; ``supervisor``: starts,
replaces and stops the workers, and loads nothing of the application; ``worker``: one process that
serves the application and drains on SIGTERM; ``health``: asks a service whether it can serve;
``notify``: tells systemd.
"""

from .command import command, is_first_worker, is_preparing, keep_to_processor, supervise, work
from .health import health
from .supervisor import WORKER

__all__ = [
    "WORKER",
    "command",
    "health",
    "is_first_worker",
    "is_preparing",
    "keep_to_processor",
    "supervise",
    "work",
]
