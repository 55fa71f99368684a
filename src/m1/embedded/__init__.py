"""The engine in this process: an index in memory over items durable in SQLite."""

import os

# numpy's linear algebra, not used here, would start a thread for each core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from m1.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
