"""The engine in this process: an index in memory over items durable in SQLite."""

from m1.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
