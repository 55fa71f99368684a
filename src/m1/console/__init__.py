"""What people see in a browser: the console, and the reference of the API."""

from m1.console.files import File, files

__all__ = ["File", "files"]
