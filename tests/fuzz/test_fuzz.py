"""Each target, for a while, from what was found before; what a run finds joins the corpus.

The corpus is kept as one JSON list of texts a target, a character being a byte.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.tier import rounds
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
ROOT = Path(__file__).parents[2]
REAL = [name for name in TARGETS if name != "planted"]
WORDS = [
    *'[]{}":,\\/()*?~^+-!=<>&%.|\n',
    *(
        '"upsert":[',
        '"delete":[',
        '"id":',
        '{"id":"a"}',
        '"_m1":{',
        "true",
        "null",
        "1e400",
        "-0.0",
    ),
    *(
        "\\u0041",
        "\\ud83d\\ude00",
        "\\ud800",
        "18446744073709551616",
        '{"a":{"b":[1,"x"]}}',
        '"a.b":',
    ),
    *(
        " AND ",
        " OR ",
        "NOT ",
        " TO ",
        "NOW-1DAY/DAY",
        "a:[1 TO 2]",
        "a:/b+c{1,2}/",
        "a:b~1",
        "a:>=2",
    ),
    *("filter(", " asc, ", " desc", "&&", "||", "a:*", "a:{* TO b}", "2026-01-01T00:00:00Z"),
    *("application/json\n\n", "multipart/form-data; boundary=x\n\n", "--x\r\n", "--x--\r\n"),
    *("Content-Disposition: form-data; name=", "\r\n\r\n", "%41", "%zz", "&a=", "+"),
]
"""What our languages are made of, for the fuzzer to put together."""
LONGEST = 10
"""Seconds that one input may take."""

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not made for this machine"
)


def corpus(name: str) -> list[bytes]:
    """Give what is known to be interesting."""
    texts: list[str] = json.loads((CORPUS / f"{name}.json").read_text())
    return [text.encode("latin-1") for text in texts]


def fuzz(name: str, seconds: int, directory: Path, known: list[bytes]) -> tuple[str, list[bytes]]:
    """Run a target; gives what it said, and the inputs at which it failed."""
    seeds, found = directory / "seeds", directory / "found"
    for each in (seeds, found):
        each.mkdir()
    for number, data in enumerate(known):
        (seeds / f"{number}").write_bytes(data)
    words = directory / "words"
    words.write_text("\n".join(map(_entry, WORDS)))
    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={LONGEST}",
        "-rss_limit_mb=2048",
        f"-dict={words}",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, *flags, f"-artifact_prefix={found}/", seeds],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + 120,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    failed = [each.read_bytes() for each in found.iterdir()]
    assert bool(failed) == (done.returncode != 0), said[-3_000:]
    return said, failed


def _entry(word: str) -> str:
    """Write a word as libFuzzer reads it."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"'


@pytest.mark.parametrize("name", REAL)
def test_what_was_found_before_is_right(name: str) -> None:
    for data in corpus(name):
        TARGETS[name](data)


@needs_atheris
@pytest.mark.parametrize("name", REAL)
def test_nothing_made_up_is_wrong(name: str, tmp_path: Path) -> None:
    said, failed = fuzz(name, rounds(commit=20, torture=600), tmp_path, corpus(name))
    assert not failed, f"{failed}, to be kept in {CORPUS}/{name}.json:\n{said[-3_000:]}"
    print(said[-200:])  # noqa: T201


@needs_atheris
def test_a_fault_is_found(tmp_path: Path) -> None:
    _, failed = fuzz("planted", 60, tmp_path, [])
    assert failed
    with pytest.raises(ValueError, match="{"):
        TARGETS["planted"](failed[0])
