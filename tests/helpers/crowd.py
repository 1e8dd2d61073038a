"""Clients that ask without a pause, in a process of their own, so that what a test measures beside
them is the service, not the test.

python -m helpers.crowd HOST PORT CLIENTS SECONDS PATH [tls]
"""

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]
TIMEOUT = 60
NEWEST = {"Cache-Control": "no-cache"}  # from the service, not from a cache before it
UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE


def source(number):
    """An address of this machine: each client has its own, as limits by address demand."""
    return f"127.0.{number // 250 + 2}.{number % 250 + 1}", 0


def connection(host, port, number, tls):
    if not tls:
        return http.client.HTTPConnection(
            host, port, timeout=TIMEOUT, source_address=source(number)
        )
    return http.client.HTTPSConnection(
        host, port, timeout=TIMEOUT, source_address=source(number), context=UNVERIFIED
    )


def _ask(made, path, end, reported):
    while time.monotonic() < end:
        try:
            made.request("GET", path, headers=NEWEST)
            answer = made.getresponse()
            answer.read()
            reported[answer.status] += 1
        except (OSError, http.client.HTTPException) as error:
            reported[type(error).__name__] += 1
            made.close()
    made.close()


def main(host, port, clients, seconds, path, tls=""):
    end, reported = time.monotonic() + float(seconds), [Counter() for _ in range(int(clients))]
    threads = [
        threading.Thread(target=_ask, args=(connection(host, int(port), at, tls), path, end, each))
        for at, each in enumerate(reported)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(sum(reported, Counter())))


@contextlib.contextmanager
def crowding(address, clients, seconds, path, tls=False):
    """A crowd while the block runs; it yields a function that waits for the end: {status or name of
    an exception: how often}.
    """
    command = [sys.executable, "-m", "helpers.crowd", *map(str, (*address, clients, seconds, path))]
    with subprocess.Popen(
        command + ["tls"] * tls, cwd=TESTS, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield lambda: json.loads(process.communicate(timeout=2 * TIMEOUT)[0])
        finally:
            process.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
