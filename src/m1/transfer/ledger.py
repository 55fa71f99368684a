"""What an import leaves beside its input: how far it is, and the lines that were refused.

    F.m1-import   {"into": "stash of ...", "input": {...}, "lines": 9000, "refused": 2, ...}
    F.rejected    17<tab>there is no value at the key session.id<tab>{"name": "Ada"}

The first is there while an import is not at its end, the second where a line was refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import IO, Any

from m1.errors import Misuse
from m1.pretty import visible
from m1.transfer.lines import cannot
from m1.transfer.place import Place
from m1.transfer.sending import Refusal

_HEAD_BYTES = 64 * 1024
_SAVED_SECONDS = 0.25


class Rejected:
    """The file of the lines that were refused; it is made when the first one is."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.count = self.size = 0

    @property
    def is_there(self) -> bool:
        """Whether there is such a file, of this import or another."""
        return os.path.lexists(self.file)

    def begin(self) -> None:
        """Begin without any; raises Misuse where another import left some."""
        if self.is_there:
            raise Misuse(f"{self.file} is there from an earlier import: move it or remove it first")

    def go_on(self, count: int, size: int) -> None:
        """Go on behind the first `count`, which are `size` bytes: later ones come again."""
        try:
            with self._opened() as file:
                self.size = min(size, os.fstat(file.fileno()).st_size)
                file.truncate(self.size)
        except FileNotFoundError:
            self.size = 0
        except OSError as error:
            raise cannot("written", self.file, error) from None
        self.count = count

    def add(self, refusals: Sequence[Refusal]) -> None:
        """Add refused lines, so that they are there before they count."""
        if not refusals:
            return
        text = b"".join(map(_row, refusals))
        try:
            with self._opened(os.O_CREAT) as file:
                file.write(text)
        except OSError as error:
            raise cannot("written", self.file, error) from None
        self.count += len(refusals)
        self.size += len(text)

    def _opened(self, flags: int = 0) -> IO[bytes]:
        """Open it to write at its end; a link, which leads to a file of others, is an error."""
        how = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | flags
        return open(os.open(self.file, how, 0o600), "ab")


def _row(refusal: Refusal) -> bytes:
    reason = " ".join(visible(refusal.reason).split())
    return b"%d\t%b\t%b\n" % (refusal.line.number, reason.encode(), refusal.line.source)


class Ledger:
    """How far an import of a file is, kept so that the same command goes on there."""

    def __init__(self, file: Path, target: Place, rejected: Rejected) -> None:
        self.lines = 0
        self.is_anew = False
        self._file = file.with_name(f"{file.name}.m1-import")
        self._rejected = rejected
        self._saved = monotonic()
        self._about = {"into": f"{target.store} of {target.environment.url}", **_identity(file)}
        before = self._before()
        if before:
            self._take_up(before)
        else:
            rejected.begin()
            self.save()

    def note(self, lines: int) -> None:
        """Take note of lines that are in or refused."""
        self.lines += lines
        if monotonic() - self._saved > _SAVED_SECONDS:
            self.save()

    def save(self) -> None:
        """Write it down, whole or not at all; raises Misuse."""
        self._saved = monotonic()
        so_far = {"lines": self.lines, "refused": self._rejected.count}
        known = {**self._about, **so_far, "refused_bytes": self._rejected.size}
        new = self._file.with_name(f"{self._file.name}.new")
        try:
            new.unlink(missing_ok=True)  # of an import that was killed; or a link of somebody else
            with new.open("x") as file:
                json.dump(known, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise cannot("written", self._file, error) from None

    def end(self) -> None:
        """The import is at its end."""
        self._file.unlink(missing_ok=True)

    def _before(self) -> dict[str, Any]:
        try:
            before: dict[str, Any] = json.loads(self._file.read_text())
            numbers = [before[name] for name in ("lines", "refused", "refused_bytes")]
            if not all(isinstance(number, int) and number >= 0 for number in numbers):
                raise ValueError
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise cannot("read", self._file, error) from None
        except (ValueError, TypeError, KeyError):
            raise Misuse(f"{self._file} is damaged: remove it to import from the start") from None
        return before

    def _take_up(self, before: dict[str, Any]) -> None:
        if before["into"] != self._about["into"]:
            raise Misuse(
                f"{self._file} is of an import into {visible(str(before['into']))} that is not "
                "at its end: finish that, or remove the file to begin another"
            )
        self.is_anew = any(before.get(name) != value for name, value in self._about.items())
        if self.is_anew:
            self._rejected.begin()
        else:
            self.lines = before["lines"]
            self._rejected.go_on(before["refused"], before["refused_bytes"])


def _identity(file: Path) -> dict[str, Any]:
    """Give what tells this state of a file from another."""
    try:
        with file.open("rb") as opened:
            head, status = opened.read(_HEAD_BYTES), os.fstat(opened.fileno())
    except OSError as error:
        raise cannot("read", file, error) from None
    digest = hashlib.sha256(head).hexdigest()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "head": digest}
