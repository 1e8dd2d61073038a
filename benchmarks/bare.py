"""Waitress with the settings of the service and nothing behind it: one constant answer to
everything, for what serving the bytes costs by itself.

python -m benchmarks.bare CONTENT_TYPE FILE
"""

import logging
import socket
import sys
import warnings
from pathlib import Path

import waitress

from bookapi.config import SETTINGS
from bookapi.server.worker import adjustments

THREADS = 8  # as `bookapi serve` has


def constant(content_type: str, body: bytes):
    """An application that answers so, whatever it is asked."""
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]

    def application(environ, start_response):
        start_response("200 OK", list(headers))
        return [body]

    return application


def main(content_type: str, file: str) -> None:
    """Serve until the process is ended; where is told in the words of `bookapi serve`."""
    # One line a request that has to wait its turn, which the service keeps quiet too.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    application = constant(content_type, Path(file).read_bytes())
    warnings.filterwarnings("ignore", "send_bytes", DeprecationWarning)
    config = {setting.name: setting.default for setting in SETTINGS}
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = waitress.create_server(
        application, sockets=[listening], **adjustments(config, THREADS)
    )
    print(f"serving on http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
