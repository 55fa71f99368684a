"""The one table: what was measured, a line each.

"CPU ms" is the server's processor time a call, all threads together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.load import Run


@dataclass(frozen=True)
class Row:
    """One line; what does not apply is None."""

    what: str
    rate: float | None = None
    median_ms: float | None = None
    p99_ms: float | None = None
    busy_ms: float | None = None
    calls: int | None = None
    note: str = ""


def row_of(what: str, runs: Sequence[Run], note: str = "", each: int = 1) -> Row:
    """Give the medians over some runs, and how far their rates lie apart.

    `each` is how many items a call carries: the rate is in items.
    """
    rates = [run.rate * each for run in runs]
    if len(runs) > 1:
        spread = f"{min(rates):,.0f} to {max(rates):,.0f} in {len(runs)} runs"
        note = f"{note}; {spread}" if note else spread
    return Row(
        what,
        rate=median(rates),
        median_ms=median(run.median_ms for run in runs),
        p99_ms=median(run.p99_ms for run in runs),
        busy_ms=median(run.busy_ms for run in runs) or None,
        calls=sum(len(run.latencies) for run in runs),
        note=note,
    )


def as_text(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """Give the table as it is printed."""
    width = max(len(row.what) for row in rows)
    lines = [
        *heads,
        f"{'':{width}}  {'a second':>9} {'median ms':>9} {'p99 ms':>9} {'CPU ms':>8} {'calls':>7}",
    ]
    for row in rows:
        numbers = " ".join(
            (
                _cell(row.rate, 9, 0),
                _cell(row.median_ms, 9, 3),
                _cell(row.p99_ms, 9, 3),
                _cell(row.busy_ms, 8, 3),
                _cell(row.calls, 7, 0),
            )
        )
        lines.append(f"{row.what:{width}}  {numbers}  {row.note}".rstrip())
    return "\n".join(lines)


def _cell(number: float | None, width: int, digits: int) -> str:
    return " " * width if number is None else f"{number:{width},.{digits}f}"


def save(file: Path, heads: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the table as JSON, to compare with later."""
    written = {"heads": list(heads), "rows": [asdict(row) for row in rows]}
    file.write_text(json.dumps(written, indent=1) + "\n")
