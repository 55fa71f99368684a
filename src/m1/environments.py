"""The environments that the `m1` client knows by name: `environments.json` in `$M1_HOME`.

    {"local": {"url": "http://127.0.0.1:8100", "token": "..."}}

The folder (default `~/.m1`) is for its owner alone, since tokens are in it.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from m1.errors import Misuse


@dataclass(frozen=True, slots=True)
class Environment:
    """A server by its URL, and the token to use there, if there is one."""

    url: str
    token: str = field(default="", repr=False)


class Environments:
    """The file of environments; every call reads it anew."""

    def __init__(self) -> None:
        home = os.environ.get("M1_HOME")
        self.home = Path(home) if home else Path.home() / ".m1"
        self.file = self.home / "environments.json"

    def all(self) -> dict[str, Environment]:
        """Give all by name; raises Misuse where the file cannot be read."""
        try:
            read = json.loads(self.file.read_text())
            return {name: Environment(**member) for name, member in read.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise Misuse(f"{self.file} cannot be read: {error}") from None

    def find(self, name: str) -> Environment:
        """Give one by its name, or by its URL; raises Misuse that says how to add it."""
        if name.startswith(("http://", "https://")):
            url = name.rstrip("/")
            known = [each for each in self.all().values() if each.url == url and each.token]
            return known[0] if known else Environment(url)
        try:
            return self.all()[name]
        except KeyError:
            raise Misuse(
                f"there is no environment {name}: add it with m1 environments add {name} URL"
            ) from None

    def save(self, name: str, url: str, token: str = "") -> None:
        """Add one, or put it in place of the one of that name."""
        self._write({**self.all(), name: Environment(url.rstrip("/"), token)})

    def remove(self, name: str) -> None:
        """Forget one; raises Misuse where there is none."""
        self.find(name)
        self._write({other: each for other, each in self.all().items() if other != name})

    def _write(self, environments: dict[str, Environment]) -> None:
        """Write the whole file beside the old one and put it in its place, readable by us alone."""
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.home.chmod(0o700)
            handle, name = tempfile.mkstemp(dir=self.home, prefix="environments-")
            try:
                with open(handle, "w") as file:
                    members = {each: asdict(it) for each, it in environments.items()}
                    json.dump(members, file, indent=2)
                os.replace(name, self.file)
            finally:
                Path(name).unlink(missing_ok=True)  # where the disk is full
        except OSError as error:
            raise Misuse(f"{self.file} cannot be written: {error.strerror}") from None
