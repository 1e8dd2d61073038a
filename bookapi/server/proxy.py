"""What the trusted proxy in front says of its clients."""

from collections.abc import Callable

from flask import Flask
from waitress import proxy_headers

FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")


def behind(app: Flask) -> Callable:
    """The application as the trusted proxy's headers tell of its clients; anyone else's are taken away. waitress does
    the same, but says in plain text that such a header is malformed, or fails."""
    proxy = app.config["TRUSTED_PROXY"]

    def called(environ, start_response):
        untrusted = proxy_headers.PROXY_HEADERS
        if proxy and environ["REMOTE_ADDR"] == proxy:
            try:
                untrusted = proxy_headers.parse_proxy_headers(environ, 1, FORWARDED)
            except (proxy_headers.MalformedProxyHeader, IndexError):
                environ["HTTP_HOST"] = ""  # nobody knows which host was asked for: a 400
        proxy_headers.clear_untrusted_headers(environ, untrusted)
        return app(environ, start_response)

    return called
