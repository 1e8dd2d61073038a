"""Replays a power cut: which files remain at any moment of a trace of system calls."""

import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers.faults import FILE

TRACED = (
    "-xx",
    "-s",
    "100000",
    "-e",
    "trace=write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,ftruncate,"
    "fallocate,sync_file_range,openat,unlink,unlinkat,rename,renameat,renameat2,sendto,sendmsg",
)
SECTOR = 512
_LINE = re.compile(r"(\d+) +(?:<\.\.\. \w+ resumed>|(\w+)\()(.*)")
_RESULT = re.compile(r"= (-?\d+|\?)[^=]*$")
_PARTS = re.compile(r'<((?:\\x[0-9a-f]{2})+)>|"((?:\\x[0-9a-f]{2})*)"|(?<=, )(\d+)(?=[,)<]| <)')


class Call(NamedTuple):
    """A system call: the file it is about, the strings and the numbers it was given, whether it has
    ended and how.
    """

    thread: str
    name: str
    file: str
    texts: list[bytes]
    numbers: list[int]
    ended: bool = False
    result: int | None = None


def calls(trace: Path) -> Iterator[Call]:
    """The calls of a trace, each once as it begins and once as it ends."""
    begun: dict[str, Call] = {}
    with open(trace, encoding="ascii") as lines:
        for line in map(str.rstrip, lines):
            found = _LINE.match(line)
            if not found:
                continue
            thread, name, rest = found.groups()
            if name:
                begun[thread] = _begun(thread, name, rest)
                yield begun[thread]
            if not rest.endswith("<unfinished ...>"):
                result = _RESULT.search(rest)
                yield begun.pop(thread)._replace(
                    ended=True, result=int(result[1]) if result and result[1] != "?" else None
                )


def _begun(thread: str, name: str, rest: str) -> Call:
    parts = _PARTS.findall(rest.rpartition(") = ")[0] + ")" if ") = " in rest else rest)
    files = [_bytes(file).decode() for file, _, _ in parts if file]
    return Call(
        thread,
        name,
        files[0] if files else "",
        [_bytes(text) for _, text, _ in parts if text],
        [int(number) for _, _, number in parts if number],
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class _File:
    """`durable` is on the disk for sure; of `written`, done since in this order, nobody knows."""

    def __init__(self, content: bytes, entered: bool):
        self.durable, self.written, self.entered = bytearray(content), [], entered
        self._synced, self._syncing = 0, {}

    def begin_sync(self, thread: str) -> None:
        self._syncing[thread] = self._synced + len(self.written)

    def end_sync(self, thread: str, failed: bool) -> None:
        """What had been written when the sync began is durable. If the sync failed it is gone for
        good: Linux takes for written what it could not write, and the next sync does not try again.
        """
        number = max(0, self._syncing.pop(thread) - self._synced)
        for offset, data in () if failed else self.written[:number]:
            _put(self.durable, offset, data)
        del self.written[:number]
        self._synced += number

    def content(self, chance: random.Random | None) -> bytes:
        """What a cut leaves: without what was not synced, or with as much of it as chance wants."""
        content = bytearray(self.durable)
        for offset, data in self.written if chance else ():
            _put_some(content, offset, data, chance)
        return bytes(content)

    def seen(self) -> bytes:
        """What a program that reads it gets."""
        content = bytearray(self.durable)
        for offset, data in self.written:
            _put(content, offset, data)
        return bytes(content)


def _put(content: bytearray, offset: int, data: bytes | None) -> None:
    """Write, or cut off where there is no data."""
    if data is None:
        del content[offset:]
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data or b"")] = data or b""


def _put_some(content: bytearray, offset: int, data: bytes | None, chance: random.Random) -> None:
    """Write all of it, nothing, or some of its sectors."""
    fate = chance.choice(("all", "nothing", "torn"))
    if fate == "all" or data is None and fate == "torn":
        _put(content, offset, data)
    elif fate == "torn":
        for start in range(0, len(data), SECTOR):
            if chance.random() < 0.5:
                _put(content, offset + start, data[start : start + SECTOR])


class Disk:
    """What a power cut would leave of the data file and its log, kept up to date by `apply`.

    Only what was synced is there for sure; a new file is, once its folder was synced. The index of
    the log (`-shm`) is made anew when a file is opened that nobody has open. `synced` counts the
    calls that waited for the disk, `failed` those that did so in vain, `copied_back` the pages that
    went from the log to the data file.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.files = {
            path.name: _File(path.read_bytes(), True)
            for path in folder.glob(f"{FILE}*")
            if _counts(path.name)
        }
        self.synced, self.failed, self.copied_back = 0, 0, 0

    def apply(self, call: Call) -> None:
        """Do what a call did."""
        path = Path(call.file)
        if call.name == "openat":
            self._open(call)
        elif path.parent == self.folder and _counts(path.name):
            self._change(call, self.files[path.name])
        elif (
            path == self.folder
            and call.name in ("fsync", "fdatasync")
            and call.ended
            and call.result == 0
        ):
            for file in self.files.values():
                file.entered = True
        else:
            assert not call.name.startswith(("unlink", "rename")) or FILE.encode() not in b"".join(
                call.texts
            ), call

    def _open(self, call: Call) -> None:
        path = Path(call.texts[0].decode()) if call.texts else Path()
        if call.ended and call.result >= 0 and path.parent == self.folder and _counts(path.name):
            self.files.setdefault(path.name, _File(b"", False))

    def _change(self, call: Call, file: _File) -> None:
        if call.name in ("fsync", "fdatasync"):
            if not call.ended:
                file.begin_sync(call.thread)
            else:
                file.end_sync(call.thread, failed=call.result != 0)
                self.synced += call.result == 0
                self.failed += call.result != 0
            return
        assert call.name in ("pwrite64", "ftruncate"), f"the replay does not know {call.name}"
        if call.ended and call.result >= 0:
            file.written.append(
                (call.numbers[0], None)
                if call.name == "ftruncate"
                else (call.numbers[1], call.texts[0][: call.result])
            )
            self.copied_back += call.name == "pwrite64" and call.file.endswith(FILE)

    def cut(self, folder: Path, chance: random.Random | None = None) -> Path:
        """The data file, in a new folder, as a cut leaves it right now: without all that was not
        synced, or with as much of it as chance wants.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, file in self.files.items():
            if file.entered or chance and chance.random() < 0.5:
                (folder / name).write_bytes(file.content(chance))
        return folder / FILE

    def is_what_is_there(self) -> bool:
        """Whether these are the files that are really there: nothing was written that no call tells
        of.
        """
        return {name: file.seen() for name, file in self.files.items()} == {
            path.name: path.read_bytes()
            for path in self.folder.glob(f"{FILE}*")
            if _counts(path.name)
        }


def _counts(name: str) -> bool:
    return name.startswith(FILE) and not name.endswith("-shm")
