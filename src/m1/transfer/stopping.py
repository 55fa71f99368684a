"""What ended a transfer before it was whole: one clear reason, and the exit code."""

from __future__ import annotations

from m1.errors import Failure, M1Error
from m1.pretty import visible
from m1.transfer.lines import cannot

ENDINGS = (M1Error, Failure, OSError, KeyboardInterrupt)
"""What a transfer may end with; anything else is a bug."""


def reason_of(error: BaseException, file: str) -> tuple[str, int]:
    """Give the reason and the exit code; `file` is what cannot be used."""
    match error:
        case M1Error():
            return f"{error.status} {visible(error.message)}", 1
        case Failure():
            return str(error), error.exit_code
        case OSError():
            return str(cannot("read or written", file, error)), 2
        case _:
            return "ended by Ctrl-C", 130
