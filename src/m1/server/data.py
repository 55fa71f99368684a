"""The commands that look after stored data: backup, restore, check, repair."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from m1.counts import counted
from m1.embedded.checkup import check, repair
from m1.embedded.copies import back_up, bring_back
from m1.errors import DamagedData, Misuse
from m1.progress import tell

COMMANDS = {
    "backup": "Copy the data of one moment into a file; a server may be running on it.",
    "restore": "Make a data directory of a backup, once its checksum is right.",
    "check": "Read all data and tell what is damaged; no server may be running on it.",
    "repair": "Make new data of what is intact; the damaged files are kept aside.",
}
"""What each of them does."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Misuse(f"{message} ({self.prog} --help lists the flags)")


def run(command: str, arguments: Sequence[str]) -> int:
    """Carry out a command; gives the exit code. Raises Failure."""
    os.umask(0o077)
    given = flags(command).parse_args(arguments)
    match command:
        case "backup":
            back_up(given.data, given.to, tell)
        case "restore":
            bring_back(getattr(given, "from"), given.data, tell)
        case "check":
            _check(given.data)
        case _:
            _repair(given.data, accepted=given.accept_loss)
    return 0


def flags(command: str) -> argparse.ArgumentParser:
    """Give what reads the flags of a command."""
    parser = _Parser(prog=f"m1 {command}", description=COMMANDS[command], allow_abbrev=False)
    flag = parser.add_argument
    flag("--data", type=Path, default=Path("data"), metavar="DIR", help="the data (./data)")
    if command == "backup":
        flag("--to", type=Path, required=True, metavar="FILE", help="a new file for the backup")
    elif command == "restore":
        flag("--from", type=Path, required=True, metavar="FILE", help="the backup")
    elif command == "repair":
        flag("--accept-loss", action="store_true", help="go on, though something may be lost")
    return parser


def _check(data: Path) -> None:
    """Print what is damaged; raises DamagedData where that is anything."""
    problems = check(data, tell)
    for problem in problems:
        print(problem)  # noqa: T201
    if problems:
        raise DamagedData(
            f"{counted(len(problems), 'damage')}: bring back a backup with m1 restore, or "
            "keep what is intact with m1 repair --accept-loss"
        )
    print("nothing is damaged")  # noqa: T201


def _repair(data: Path, *, accepted: bool) -> None:
    if not accepted:
        raise Misuse(
            "what is damaged cannot be made whole: look with m1 check, and give --accept-loss "
            "to go on without it"
        )
    lost = repair(data, tell)
    for loss in [f"lost: {each}" for each in lost] or ["nothing is lost"]:
        print(loss)  # noqa: T201
