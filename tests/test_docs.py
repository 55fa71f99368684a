"""What is written down is true: references are fresh, and README runs as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from m1.api.endpoint import endpoint as declare
from m1.api.rooms import describe, endpoints
from m1.catalog import DEFAULTS
from m1.query import parse, parse_sort
from m1.server.settings import _parser
from scripts.reference import reference
from tests.serving import serving

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_reference_is_what_the_endpoints_say() -> None:
    assert (ROOT / "docs" / "api.md").read_text() == reference(), "run make docs"


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


def test_every_setting_and_flag_is_documented() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()
    for setting in DEFAULTS:
        assert f"| {setting} |" in operations, setting
    for action in _parser()._actions:
        assert action.help, action.dest


def test_every_example_of_the_query_language_can_be_parsed() -> None:
    page = (ROOT / "docs" / "query-language.md").read_text()
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    examples = [example for cell in cells for example in re.findall("`([^`]+)`", cell)]
    assert len(examples) > 20
    for example in examples:
        parse(example)
    parse_sort("path asc")


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


def blocks() -> list[tuple[str, str]]:
    """Give README's code blocks: (language, text)."""
    return re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def masked(text: str) -> Any:
    """Read JSON with the times taken out."""
    return json.loads(re.sub(r'("(?:receivedUTC|lastUpdated)":)[0-9]+', r"\g<1>0", text))


def test_readme_begins_with_the_two_commands() -> None:
    assert blocks()[0] == (
        "sh",
        "make serve    # install, and start a real server on ./data\n"
        "make test     # install what tests need, and run them all\n",
    )
    for command in ("serve", "test"):
        assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.fixture
def run_blocks(tmp_path: Path) -> list[tuple[str, str]]:
    """Run README's blocks in one shell, one after another; gives output and what README shows."""
    bin_directory = tmp_path / ".venv" / "bin"
    bin_directory.mkdir(parents=True)
    command = bin_directory / "m1"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m m1 "$@"\n')
    command.chmod(0o755)
    with serving(tmp_path, "--quickstart") as server:
        script, shown = ["set -eu"], []
        for language, text in blocks()[1:]:
            text = text.replace("http://127.0.0.1:8100", server.url)
            if language == "sh":
                script.append(text)
            elif language == "python":
                script.append(f"{sys.executable} - <<'END'\n{text}END")
            else:
                script.append("printf '\\036'")
                shown.append(text)
        environment = {**server.environment, "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
    return list(zip(done.stdout.split("\x1e"), shown, strict=False))


def test_readmes_blocks_run_as_they_stand_and_print_what_is_shown(
    run_blocks: list[tuple[str, str]],
) -> None:
    assert len(run_blocks) == 3
    for output, shown in run_blocks:
        assert masked(output) == masked(shown)
