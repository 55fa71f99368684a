"""The page of the Python client is true: its examples run and print what is shown."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

from m1 import Client
from m1.client.rooms import Rooms, SessionRoom, SystemRoom, UserRoom
from tests.serving import serving

PAGE = (Path(__file__).parents[1] / "docs" / "client.md").read_text()


def test_the_examples_run_and_print_what_is_shown(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == PAGE.count("```python") >= 6
    script = "print('\\036', end='')\n".join(code for code, _ in examples)
    with serving(tmp_path, "--quickstart") as server:
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split("\x1e") == [shown for _, shown in examples]


def test_every_method_and_argument_is_on_the_page() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `client.")]
    named = set(re.findall(r"\w+", " ".join(row.split("|")[1] for row in rows)))
    for room in (Rooms, SessionRoom, UserRoom, SystemRoom):
        assert {name for name in vars(room) if not name.startswith("_")} <= named
    limits = inspect.signature(Client).parameters.values()
    for limit in limits:
        if isinstance(limit.default, int):
            assert f"| `{limit.name}` | {limit.default} |" in PAGE
