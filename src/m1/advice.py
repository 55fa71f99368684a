"""What to do about a refusal, as the command `m1` says it behind the server's words."""

from __future__ import annotations

import os
from collections.abc import Mapping

from m1.errors import M1Error, Unauthorized


def advised(
    error: M1Error, name: str, others: Mapping[type[M1Error], str] | None = None
) -> M1Error:
    """Give a refusal of the environment `name` with the way on: to log in, or what `others` say."""
    first = "unset M1_TOKEN, whose token was sent, then " if "M1_TOKEN" in os.environ else ""
    ways: dict[type[M1Error], str] = {
        Unauthorized: f"to log in: {first}m1 auth {name} -username ...",
        **(others or {}),
    }
    way = ways.get(type(error))
    return error if way is None else type(error)(f"{error.message}; {way}")
