"""A torture ends with a summary of what was done."""

from __future__ import annotations

import pytest

from tests.crash.tier import TORTURE, tally


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was done, of what."""
    if TORTURE:
        terminalreporter.section("what was done")
        for what, count in sorted(tally.items()):
            terminalreporter.write_line(f"{count:7,} {what}")
