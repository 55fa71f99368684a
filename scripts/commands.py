"""Write the page of the command `m1`, docs/command.md, from what it says of itself."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from m1.cli import USAGE
from m1.server import data, settings
from m1.simulate import USAGE as SIMULATE
from m1.transfer.command import USAGES

_HEAD = """\
# The command `m1`

Made from what the command says of itself by `make reference`; do not edit.
"""
_SERVE = """\
Each can also be given in the environment; flags win. What they are for stands in
[operations](operations.md), [clusters](clusters.md) and [metrics](metrics.md).
"""


def commands() -> str:
    """Give the whole page."""
    return "\n".join([_HEAD, *_told(USAGE), *_calls(), *_serve(), *_data()])


def _calls() -> Iterator[str]:
    """Yield the commands that do their work by calls; each says how it is used."""
    for name, usage in (*USAGES.items(), ("simulate", SIMULATE)):
        yield f"## m1 {name}\n"
        yield from _told(usage)


def _serve() -> Iterator[str]:
    yield f"## m1 serve\n\n{_SERVE}\n| flag | environment | |\n|---|---|---|"
    for action in _actions(settings.flags()):
        variable = settings.variable_of(action.option_strings[-1])
        yield f"| `{_spelled(action)}` | `{variable}` | {action.help} |"
    yield ""


def _data() -> Iterator[str]:
    for name in data.COMMANDS:
        parser = data.flags(name)
        yield f"## m1 {name}\n\n{parser.description}\n\n| flag | |\n|---|---|"
        yield from (f"| `{_spelled(each)}` | {each.help} |" for each in _actions(parser))
        yield ""


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.dest != "help"]


def _spelled(action: argparse.Action) -> str:
    """Spell a flag, with what follows it where its name does not say that."""
    value = " or ".join(action.choices or ()) or action.metavar or ""
    return f"{action.option_strings[-1]} {value}".rstrip()


def _told(usage: str) -> Iterator[str]:
    """Yield what is typed as code, and sentences as they are."""
    for part in usage.split("\n\n"):
        is_code = part.startswith(("m1 ", " "))
        yield (textwrap.indent(part, "    ") if is_code else part.replace("<", "&lt;")) + "\n"


if __name__ == "__main__":
    print(commands(), end="")  # noqa: T201
