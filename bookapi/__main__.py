"""The console command ``bookapi``, the same as ``flask --app wsgi``."""

import os
import sys

from . import server


def main() -> None:
    """Run the command that was typed."""
    if sys.argv[1:2] == ["health"]:  # the same: a container asks every few seconds
        server.health.main(sys.argv[2:], prog_name="bookapi health")
    if sys.argv[1:2] == ["serve"] and not (server.WORKER in os.environ or server.is_preparing()):
        # Without the application: SIGTERM counts from the first moment; the supervisor is small.
        server.command(server.supervise).main(sys.argv[2:], prog_name="bookapi serve")
    from . import create_app
    from .cli import Console

    console = Console(create_app=create_app, name="bookapi", help="The book catalogue service.")
    console.main(prog_name="bookapi")


if __name__ == "__main__":
    main()
