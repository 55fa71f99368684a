"""m1 session stores: nested JSON items, kept by key, found by Lucene query at once."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import the clients when they are first asked for: a command starts without them."""
    if name in ("Client", "AsyncClient"):
        from m1 import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
