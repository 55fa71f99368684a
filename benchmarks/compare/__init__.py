"""This product beside PostgreSQL and OpenSearch: one machine, one run, the same items.

    python -m benchmarks.compare --items 1000000

Every side commits durably, is warmed before it is measured, and answers a query with the
exact count and 10 whole items. What each peer is run with stands in its module.
"""
