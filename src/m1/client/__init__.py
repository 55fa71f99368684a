"""The Python client: every endpoint as a method, `client.session.query`, sync and async."""

from m1.client.ask import Id, Item, Op
from m1.client.awaiting import AsyncResult, AsyncUpdates
from m1.client.batch import FailedUpdate, UpdatesFailed
from m1.client.blocking import Result, Updates
from m1.client.clients import AsyncClient, Client

__all__ = [
    "AsyncClient",
    "AsyncResult",
    "AsyncUpdates",
    "Client",
    "FailedUpdate",
    "Id",
    "Item",
    "Op",
    "Result",
    "Updates",
    "UpdatesFailed",
]
