"""The application object, for any WSGI server and for ``flask --app wsgi``."""

from bookapi import create_app

app = create_app()
