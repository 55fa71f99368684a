"""A torture ends with a summary of what was done, by all the processes that ran tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.crash.tier import TORTURE, tally


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where this is a process of pytest-xdist, hand over what was done here."""
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["tally"] = dict(tally)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what such a process did."""
    tally.update(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was done, of what."""
    if TORTURE:
        terminalreporter.section("what was done")
        for what, count in sorted(tally.items()):
            terminalreporter.write_line(f"{count:7,} {what}")
