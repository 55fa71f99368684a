"""TLS: which handshakes succeed, and a certificate that is renewed without a restart."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.test_serve import COMMAND, LIMIT, environment, refusal
from tests.serving import Server, serving
from tests.waiting import until


def make_certificate(directory: Path) -> Path:
    """Make a folder with a self-signed certificate for 127.0.0.1, cert.pem and key.pem."""
    directory.mkdir(exist_ok=True)
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=m1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
    return directory


def flags(directory: Path) -> tuple[str, ...]:
    """Give the flags for the certificate in a folder."""
    return "--tls-cert", f"{directory}/cert.pem", "--tls-key", f"{directory}/key.pem"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that is not touched."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_with_a_certificate_it_serves_https(tmp_path: Path, certificate: Path, way: str) -> None:
    cert, key = str(certificate / "cert.pem"), str(certificate / "key.pem")
    given = flags(certificate) if way == "flag" else ()
    variables = {"M1_TLS_CERT": cert, "M1_TLS_KEY": key} if way == "environment" else {}
    with serving(tmp_path, *given, env=variables) as server:
        assert server.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=cert)
        with urllib.request.urlopen(f"{server.url}/ping", context=context, timeout=LIMIT) as answer:
            assert answer.read() == b"true"
        curl = ["curl", "-sS", "--cacert", cert, f"{server.url}/ping"]
        assert subprocess.run(curl, capture_output=True, check=True).stdout == b"true"


def test_the_client_checks_the_certificate(tmp_path: Path, certificate: Path) -> None:
    with serving(tmp_path, *flags(certificate), "--host", "127.0.0.1") as server:

        def ping(url: str, **variables: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [COMMAND, url, "ping"],
                env=environment(server.home, **variables),
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )

        assert ping(server.url, SSL_CERT_FILE=str(certificate / "cert.pem")).stdout == "true"
        for url, said in (
            (server.url, "certificate is not good: self-signed certificate; SSL_CERT_FILE"),
            (server.url.replace("https", "http"), f"if it speaks TLS, try {server.url}\n"),
        ):
            done = ping(url)
            assert done.returncode == 3, url
            assert done.stderr.count("\n") == 1
            assert said in done.stderr


def test_with_tls_it_may_listen_to_other_machines(tmp_path: Path, certificate: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", *flags(certificate)) as server:
        assert server.url.startswith("https://0.0.0.0:")


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, certificate: Path) -> None:
    other = make_certificate(tmp_path / "other")
    key = other / "key.pem"
    assert refusal(tmp_path, *flags(certificate)[:3], str(key)).code == 2


# --- the handshake ---


def handshake(address: tuple[str, int], version: ssl.TLSVersion) -> bytes:
    """Shake hands in one version, whatever the ciphers; gives the certificate that was shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(address, LIMIT) as plug, context.wrap_socket(plug) as secure:
        return secure.getpeercert(binary_form=True) or b""


@pytest.fixture
def careless(certificate: Path) -> Iterator[tuple[str, int]]:
    """A server that takes old versions, for one handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1

    def serve(listening: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            listening.accept()[0] as plug,
            context.wrap_socket(plug, server_side=True) as secure,
        ):
            secure.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        yield listening.getsockname()
        thread.join(LIMIT)


OLD = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", OLD)
def test_old_versions_are_refused(
    tmp_path: Path, certificate: Path, careless: tuple[str, int], version: ssl.TLSVersion
) -> None:
    assert handshake(careless, version), "the client cannot do it, and so shows nothing"
    with serving(tmp_path, *flags(certificate)) as server:
        for new in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert handshake(address_of(server), new)
        with pytest.raises(ssl.SSLError):
            handshake(address_of(server), version)


def address_of(server: Server) -> tuple[str, int]:
    """Give where to connect to."""
    url = urlsplit(server.url)
    return url.hostname or "", url.port or 0


def shown(server: Server) -> bytes:
    """Give the certificate that a new connection sees."""
    return handshake(address_of(server), ssl.TLSVersion.TLSv1_3)


def der(directory: Path) -> bytes:
    """Give a certificate as it crosses the network."""
    return ssl.PEM_cert_to_DER_cert((directory / "cert.pem").read_text())


def test_a_renewed_certificate_is_shown_after_a_hangup(tmp_path: Path) -> None:
    used, new = make_certificate(tmp_path / "used"), make_certificate(tmp_path / "new")
    old = der(used)
    with serving(tmp_path, *flags(used)) as server:
        context = ssl.create_default_context(cafile=str(used / "cert.pem"))
        with (
            socket.create_connection(address_of(server), LIMIT) as plug,
            context.wrap_socket(plug, server_hostname="127.0.0.1") as before,
        ):
            for name in ("cert.pem", "key.pem"):
                shutil.copy(new / name, used / name)
            assert shown(server) == old
            server.process.send_signal(signal.SIGHUP)
            until(lambda: shown(server) == der(new), "the new certificate is not shown")
            before.sendall(b"GET /ping HTTP/1.1\r\nHost: m1\r\n\r\n")
            assert before.recv(1_000).startswith(b"HTTP/1.1 200")

        (used / "key.pem").write_text("torn")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "the certificate of before stays" in server.logged(), "nothing is said")
        assert shown(server) == der(new)
        assert server.logged().count("\n") == 2


def test_who_never_shakes_hands_is_cut_off(tmp_path: Path, certificate: Path) -> None:
    with serving(tmp_path, *flags(certificate), "--receive-seconds", "1") as server:
        with socket.create_connection(address_of(server), LIMIT) as plug:
            assert plug.recv(1) == b""
        assert shown(server)
