"""The engine on an OpenSearch cluster; needs the extra `m1-session-stores[opensearch]`."""

from m1.opensearch.engine import OpenSearchEngine

__all__ = ["OpenSearchEngine"]
