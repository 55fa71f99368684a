"""m1 session stores: nested JSON items, kept by key, found by Lucene query at once."""

__version__ = "0.1.0"
