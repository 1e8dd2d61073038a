"""What tests change of an application's database."""

import itertools

from bookapi.db import db
from bookapi.db.dialects.mysql import MysqlDialect
from bookapi.db.dialects.sqlite import SqliteDialect
from bookapi.db.extension import EXTENSION
from bookapi.db.queue import WriteQueue


def run_operations_again(app):
    """Have each operation be a transaction of its own that may run again, as on a server, whatever
    the tests run on.
    """
    with app.app_context():
        queue = WriteQueue(db.engine, MysqlDialect(db.engine.url, 5), 5)
    app.extensions[EXTENSION] = app.extensions[EXTENSION]._replace(queue=queue)


def set_costs(monkeypatch, **costs):
    """What `looking` at a book's words and `sorting` a book cost on every database."""
    for dialect, (name, value) in itertools.product((SqliteDialect, MysqlDialect), costs.items()):
        monkeypatch.setattr(dialect, f"{name}_costs", value)
