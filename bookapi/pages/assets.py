"""Style, script and icon, at addresses that name their content, so that browsers keep them."""

import hashlib
from pathlib import Path

from flask import Blueprint
from werkzeug.exceptions import NotFound

from ..http.cache import CachePolicy, DataResponse
from ..http.endpoints import Access, endpoint

FOLDER = Path(__file__).parent
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
KEPT = CachePolicy(public=True, always=True, immutable=True)

blueprint = Blueprint("assets", __name__, url_prefix="/static", template_folder="templates")


def _addressed(path: Path) -> tuple[str, bytes]:
    content = path.read_bytes()
    return f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}", content


_FILES = {path.name: _addressed(path) for path in sorted((FOLDER / "static").iterdir())}
_CONTENTS = dict(_FILES.values())


def path_of(name: str) -> str:
    """The path of a file, below the root of the service."""
    return f"/static/{_FILES[name][0]}"


@blueprint.get("/<name>")
@endpoint(Access.ANYONE)
def read_asset(name: str) -> DataResponse:
    """The style, script or icon of pages."""
    content = _CONTENTS.get(name)
    if content is None:
        raise NotFound
    headers = {
        "Content-Type": TYPES[Path(name).suffix],
        "Content-Length": str(len(content)),
        "ETag": f'"{name}"',
    }
    response = DataResponse([content], 200, headers)
    response.body, response.policy = content, KEPT
    return response
