"""TLS: the certificate that a server shows, and a new one without a restart."""

from __future__ import annotations

import ssl
from pathlib import Path

from m1.errors import StartError


class Certificate:
    """A certificate chain and its key, in files that are renewed now and then."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Read the files; raises StartError."""
        self._chain = chain
        self._key = key
        self.context = _context()
        self.read()

    def read(self) -> None:
        """Show what is in the files now to whoever connects from here on.

        Raises StartError where they do not fit; then the certificate of before stays.
        """
        try:
            for context in (_context(), self.context):  # one that breaks is not ours
                context.load_cert_chain(self._chain, self._key)
        except (OSError, ValueError) as error:
            raise StartError(
                f"--tls-cert {self._chain} and --tls-key {self._key} "
                f"are no certificate with its key: {error}"
            ) from None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
