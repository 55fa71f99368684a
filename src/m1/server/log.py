"""The log: one line an event on standard error, as text or as JSON.

A line of a request carries its id, which its client gets as a header.

Of what clients send it has verbs and paths, and, at the level AUDIT, the parameters of calls
that administer; never a token, a password or a body. Control characters are escaped and the
lines of a traceback indented, so that no input can forge a line.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

AUDIT = logging.INFO + 5


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said = _said(record)
        text = json.dumps(said) if said else _escaped(record.getMessage())
        request = _request(record)
        tag = f"[{request}] " if request else ""
        lines = [f"{_time(record)} {record.levelname} {tag}{text}"]
        if record.exc_info:
            lines += map(_escaped, self.formatException(record.exc_info).splitlines())
        return "\n    ".join(lines)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = {"time": _time(record), "level": record.levelname, "message": record.getMessage()}
        if request := _request(record):
            event["request"] = request
        event |= _said(record)
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event)


def _said(record: logging.LogRecord) -> dict[str, Any]:
    """Give what an event says by names, where it does."""
    said: dict[str, Any] = getattr(record, "said", {})
    return said


def _request(record: logging.LogRecord) -> str:
    """Give the id of the request that an event is of, "" for none."""
    request: str = getattr(record, "request", "")
    return request


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def formatter(log_format: str) -> logging.Formatter:
    """Give what makes a line (or, of a traceback, several) of an event: text or json."""
    return _JsonFormatter() if log_format == "json" else _TextFormatter()


def set_up(log_format: str) -> None:
    """Send all logging of this process to standard error."""
    logging.addLevelName(AUDIT, "AUDIT")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for quiet in ("uvicorn", "uvicorn.error", "asyncio"):  # a warning is of what clients send
        logging.getLogger(quiet).setLevel(logging.ERROR)
