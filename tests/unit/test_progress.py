"""How far long work is, in a line that says what is known and no more."""

from __future__ import annotations

import re

import pytest

from m1 import progress
from m1.progress import Progress


@pytest.mark.parametrize(
    ("whole", "share", "bar", "told"),
    [
        (200, 0.0, False, r"50 of 200 items \(25 %\), [\d,]+ a second, [\d,]+ s left"),
        (0, 0.25, False, r"50 items \(25 %\), [\d,]+ a second, [\d,]+ s left"),
        (0, 0.25, True, r"\[#####-{15}\] 50 items \(25 %\), [\d,]+ a second, [\d,]+ s left"),
        (0, 0.0, True, r"50 items, [\d,]+ a second"),
        (1, 0.0, False, r"50 of 1 item \(100 %\), [\d,]+ a second, 0 s left"),
        (40, 0.0, True, r"\[#{20}\] 50 of 40 items \(100 %\), [\d,]+ a second, 0 s left"),
    ],
)
def test_a_line_says_what_is_known(
    whole: int, share: float, bar: bool, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("_TOLD_SECONDS", "_SHOWN_SECONDS"):
        monkeypatch.setattr(progress, pause, 0.0)
    lines: list[str] = []
    Progress(lines.append, whole, "item", done=10, bar=bar).at(50, share)
    assert re.fullmatch(told, lines[0]), lines


def test_a_bar_leaves_room_for_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for done in (5_000, 7_000_000):
        lines: list[str] = []
        told = Progress(lines.append, 9_000_000, "item", "exported", bar=True)
        monkeypatch.setattr(told, "_begun", told._begun - 100)
        monkeypatch.setattr(told, "_told", told._begun)
        told.at(done)
        assert lines[0].endswith(" s left")
        assert len(lines[0]) < 80
