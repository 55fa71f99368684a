"""The code blocks of a page, run in one shell as a reader would paste them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.serving import Server

_MARK = "\x1e"
"""Stands in the output where the page shows some."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Give a page's code blocks: (language, text)."""
    return re.findall(r"```(\w+)\n(.*?)```", page.read_text(), re.DOTALL)


def run(page: Path, server: Server, directory: Path) -> list[tuple[str, str]]:
    """Run a page's blocks in `sh` and `python`, one after another, at a server.

    Those that begin with `make` are done already, and other languages show what belongs to
    something else. Gives, for each block in `json`, what was printed before it and what it shows.
    """
    _put_command(directory / ".venv" / "bin" / "m1")
    script, shown = ["set -euo pipefail"], []
    for language, text in blocks(page):
        text = text.replace("http://127.0.0.1:8100", server.url)
        if language == "sh" and not text.startswith("make "):
            script.append(text)
        elif language == "python":
            script.append(f"{sys.executable} - <<'END'\n{text}END")
        elif language == "json":
            script.append(f"printf '{_MARK}'")
            shown.append(text)
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=directory,
        env={**server.environment, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(zip(done.stdout.split(_MARK), shown, strict=False))


def _put_command(command: Path) -> None:
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m m1 "$@"\n')
    command.chmod(0o755)
