"""Run one target: `python -m tests.fuzz query [libFuzzer's flags and folders]`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["m1", "tests.fuzz"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
