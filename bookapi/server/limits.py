"""What a worker needs of the system: open files, and a folder for temporary files."""

import resource
import shutil
import tempfile
from collections.abc import Iterator

FILES = 200  # besides those of connections: the database, libraries, exports


def warnings(connections: int, temporary_bytes: int) -> Iterator[str]:
    """Raise the limit of open files as far as it goes; what is still missing, for the operator."""
    needed = 2 * connections + FILES  # a connection and the temporary file of its body
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < needed:
        yield f"only {soft} files may be open, {needed} may be needed: raise it (ulimit -n)"
    try:
        with tempfile.TemporaryFile():
            free = shutil.disk_usage(tempfile.gettempdir()).free
    except OSError as error:
        yield f"there is no folder for temporary files ({error}): large bodies and exports fail"
        return
    if free < temporary_bytes:
        yield (
            f"the folder for temporary files, {tempfile.gettempdir()}, has {free:,} bytes free; "
            f"one import and the exports may need {temporary_bytes:,} (set TMPDIR)"
        )
