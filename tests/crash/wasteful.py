"""`m1` with a fault: it sets no room aside for removals. For a negative control."""

from __future__ import annotations

import sys

from m1.cli import main
from m1.embedded.room import Room


def _nothing(room: Room, *_: object, **__: object) -> bool:
    return True


if __name__ == "__main__":
    setattr(Room, "set_aside", _nothing)  # noqa: B010
    sys.exit(main())
