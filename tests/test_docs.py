"""What is written down is true: references are fresh, and README runs as it stands."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from m1.api.endpoint import endpoint as declare
from m1.api.rooms import describe, endpoints
from m1.catalog import DEFAULTS
from m1.cli import _COMMANDS
from m1.server import data, settings
from m1.simulate import USAGE as SIMULATE
from m1.simulate import Wishes
from m1.transfer.command import _COMMANDS as TRANSFERS
from m1.transfer.command import USAGES
from scripts.commands import commands
from scripts.reference import reference
from tests.pages import blocks, run
from tests.serving import serving

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_the_reference_is_what_the_endpoints_say() -> None:
    assert (ROOT / "docs" / "api.md").read_text() == reference(), "run make reference"


def test_every_endpoint_has_help_and_every_parameter_is_in_it() -> None:
    for endpoint in endpoints():
        text = describe(endpoint.path)
        assert text
        assert endpoint.help.splitlines()[0].endswith("."), endpoint.path
        for parameter in endpoint.parameters:
            assert parameter.name in text


def test_a_declaration_reads_its_signature() -> None:
    async def method(self: object, call: object, store: str, n: str | None = None) -> None:
        """Do it."""

    declared: Any = declare("x/y", rights=("admin",))(method)
    assert [(p.name, p.required) for p in declared.endpoint.parameters] == [
        ("store", True),
        ("n", False),
    ]


def test_every_setting_is_documented() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()
    for setting in DEFAULTS:
        assert f"| {setting} |" in operations, setting


def test_the_page_of_the_command_is_what_the_command_says() -> None:
    assert (ROOT / "docs" / "command.md").read_text() == commands(), "run make reference"


def test_every_command_and_flag_is_on_the_page_of_the_command() -> None:
    page = commands()
    for command in _COMMANDS.keys() - {"-h", "--help"}:
        assert re.search(rf"(m1|\|) {command}\b", page), command
    parsers = [settings.flags(), *map(data.flags, ("backup", "restore", "check", "repair"))]
    for action in (action for parser in parsers for action in parser._actions):
        assert action.help, action.dest
        assert action.dest == "help" or f"| `{action.option_strings[-1]}" in page, action.dest


def test_every_parameter_of_a_command_is_in_its_help() -> None:
    taken = {
        command: set[str]().union(*(needed | known for needed, known in ways))
        for command, (_, ways) in TRANSFERS.items()
    }
    taken["simulate"] = {field.name for field in dataclasses.fields(Wishes)}
    for command, usage in {**USAGES, "simulate": SIMULATE}.items():
        for name in taken[command]:
            assert re.search(rf"(?<![\w-])-{name}\b", usage), f"m1 {command} -{name}"


def test_every_test_that_the_promises_name_is_there() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) > 40
    for row in rows:
        file = ""
        for named in re.findall(r"`((?:tests/[\w/]+\.py::)?test_\w+)`", row):
            place, _, name = named.rpartition("::")
            file = place or file
            assert f"def {name}(" in (ROOT / file).read_text(), named
        assert file, f"no test shows: {row}"


def test_what_is_installed_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"]]
    wanted += project["project"]["optional-dependencies"]["opensearch"]
    for file, more in (
        ("requirements", []),
        ("requirements-dev", project["dependency-groups"]["dev"]),
    ):
        text = (ROOT / f"{file}.lock").read_text()
        pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))
        for requirement in map(Requirement, [*wanted, *more]):
            assert requirement.specifier.contains(pinned[requirement.name]), requirement
        pins = len(re.findall(r"^[\w.-]+==", text, re.MULTILINE))
        assert pins == len(re.findall(r"^[\w.-]+==.*\\\n    --hash=sha256:", text, re.MULTILINE))


def masked(text: str) -> list[Any]:
    """Read one JSON text after another, with the times taken out."""
    text = re.sub(r'("(?:receivedUTC|lastUpdated)":)[0-9]+', r"\g<1>0", text).strip()
    read, end = [], 0
    while end < len(text):
        value, end = json.JSONDecoder().raw_decode(text, end)
        read.append(value)
        end += len(text[end:]) - len(text[end:].lstrip())
    return read


def test_readme_begins_with_the_two_commands() -> None:
    assert blocks(README)[0] == (
        "sh",
        "make serve    # install, and start a real server on ./data\n"
        "make test     # install what tests need, and run them all\n",
    )
    for command in ("serve", "test"):
        assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "shows"),
    [("README.md", 3), ("docs/index.md", 5), ("docs/coming-from.md", 6), ("docs/minusonedb.md", 1)],
)
def test_the_blocks_of_a_page_run_as_they_stand_and_print_what_is_shown(
    tmp_path: Path, page: str, shows: int
) -> None:
    with serving(tmp_path, "--quickstart") as server:
        ran = run(ROOT / page, server, tmp_path)
    assert len(ran) == shows
    for output, shown in ran:
        assert masked(output) == masked(shown)
