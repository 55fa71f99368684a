"""The same with a fault: updates carry no version. For negative controls."""

from __future__ import annotations

import re
import sys

from m1.opensearch.space import _Write
from tests.crash import hurried

_lines = _Write.lines


def _unversioned(write: _Write) -> bytes:
    return re.sub(rb',"version":\d+,"version_type":"external"', b"", _lines(write))


if __name__ == "__main__":
    setattr(_Write, "lines", _unversioned)  # noqa: B010
    sys.exit(hurried.run())
