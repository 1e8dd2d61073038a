"""What an operator can do about a database that cannot be used, by the error of its driver."""

from contextlib import suppress

import pymysql
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from .extension import db
from .failures import MYSQL_DENIED, MYSQL_READ_ONLY, FileFault, Unavailable, cause, translate
from .sqlite import sqlite3

_BY_CODE = {
    **dict.fromkeys(
        MYSQL_DENIED, "check the user, the password and the user's rights in BOOKAPI_DATABASE_URL"
    ),
    **dict.fromkeys(MYSQL_READ_ONLY, "name the server that takes changes, not a replica"),
    **dict.fromkeys(
        (2002, 2003, 2013),
        "does the server run at the address in BOOKAPI_DATABASE_URL? (serve --wait waits for it)",
    ),
    1049: "create it first: CREATE DATABASE … CHARACTER SET utf8mb4",
    1047: "the node of the cluster has no quorum or is not in sync yet",
}


def explain(error: HTTPException | DBAPIError) -> str:
    """A failure of the database in one line for the operator: what, why, and what to do."""
    known = translate(error) if isinstance(error, DBAPIError) else error
    said, hint = (known.description or "") if known else "the database failed", ""
    if isinstance(known, Unavailable):
        said, hint = "the database cannot be used", _hint(cause(error))
    reason = ": ".join(part for part in (said, str(cause(error) or "")) if part)
    return "; ".join(part for part in (reason, hint) if part).replace("\n", " ")


def _hint(driver: BaseException | None) -> str:
    if isinstance(driver, pymysql.err.MySQLError):
        return _BY_CODE.get(driver.args[0] if driver.args else 0, "")
    file = db.dialect.file if isinstance(driver, sqlite3.Error | FileFault) else None
    with suppress(PermissionError):  # a folder that may not be entered
        if file and not file.exists():
            return "there is no file; bookapi init makes one"
    return ""
