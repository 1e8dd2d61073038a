"""Pages for people: templates, style and script, and the addresses that only pages have.

To add a page: a template named after the root element of the data. To add a language: its catalogue
in `translations`, and its name in `http/languages.py`.
"""

from flask import Flask
from flask_babel import Babel

from ..http.pages import page_language
from . import accounts, assets, books, context


def init_app(app: Flask) -> None:
    """Give the application its pages."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    Babel(
        app,
        default_translation_directories=str(assets.FOLDER / "translations"),
        locale_selector=page_language,
    )
    context.init_app(app)
    for blueprint in (assets.blueprint, books.blueprint, accounts.blueprint):
        app.register_blueprint(blueprint)
