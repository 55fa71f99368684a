from m1.client import AsyncClient as AsyncClient
from m1.client import Client as Client

__version__: str
