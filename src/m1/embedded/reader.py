"""Reading rows, each looked at for damage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from m1.embedded.layout import STATEMENTS_KEPT, Row, connect, is_intact

_READ_AT_ONCE = 250
_JOINED = 10
_LAST_SEQ = 2**63 - 1


class Reader:
    """A connection that reads bodies by seq; for one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._connection = connect(file)

    def bodies(self, number: int, seqs: Sequence[int]) -> list[bytes]:
        """Give the bodies of rows, in the order asked.

        Raises OSError where one is not there or is not what was written.
        """
        bodies: list[bytes] = []
        for begin in range(0, len(seqs), _JOINED):
            some = seqs[begin : begin + _JOINED]
            found = self._connection.execute(_joined(number, len(some)), some).fetchone()
            if found is None:
                raise OSError(f"rows of items_{number} are missing")
            for seq, id, body, crc in zip(some, found[::3], found[1::3], found[2::3], strict=True):
                if not is_intact(seq, id, body, crc):
                    raise _not_intact(number, seq)
                bodies.append(body)
        return bodies

    def rows(self, number: int, after: int, upto: int = _LAST_SEQ) -> Iterator[Row]:
        """Yield the rows after one seq and up to another, ascending; some at a time.

        So what is written meanwhile does not wait in the log for us. Raises OSError where
        one is not what was written.
        """
        while some := self._connection.execute(
            f"SELECT seq, id, body, crc FROM items_{number} WHERE seq > ? AND seq <= ?"
            " ORDER BY seq LIMIT ?",
            (after, upto, _READ_AT_ONCE),
        ).fetchall():
            for seq, id, body, crc in some:
                if not is_intact(seq, id, body, crc):
                    raise _not_intact(number, seq)
                yield Row(seq, id, body)
            after = some[-1][0]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


@lru_cache(maxsize=STATEMENTS_KEPT)
def _joined(number: int, count: int) -> str:
    """Give a statement that finds so many rows by their seqs, as one row.

    Between two rows the thread would give up the interpreter, and wait to get it back.
    """
    numbers = range(count)
    columns = ", ".join(f"r{n}.id, r{n}.body, r{n}.crc" for n in numbers)
    tables = ", ".join(f"items_{number} r{n}" for n in numbers)
    return f"SELECT {columns} FROM {tables} WHERE {' AND '.join(f'r{n}.seq = ?' for n in numbers)}"


def _not_intact(number: int, seq: int) -> OSError:
    return OSError(f"row {seq} of items_{number} fails its checksum")
