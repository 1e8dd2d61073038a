"""What tests change of an application's database."""

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


def set_looking_costs(monkeypatch, costs):
    """What looking at a book's words costs on every database."""
    for dialect in (SqliteDialect, MysqlDialect):
        monkeypatch.setattr(dialect, "looking_costs", costs)
