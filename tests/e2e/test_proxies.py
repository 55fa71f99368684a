"""deploy/nginx.conf and deploy/Caddyfile as they stand, in front of a real server.

Only what this machine lacks is put in: ports, the certificate, the server's address. Callers come
from 127.0.0.2, a stranger to the proxy; the proxy is 127.0.0.1, which the server trusts.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.test_tls import make_certificate
from tests.opensearch import free_ports
from tests.serving import Server, serving
from tests.waiting import until

DEPLOY = Path(__file__).parents[2] / "deploy"
CALLER, FORGED = "127.0.0.2", "6.6.6.6"
LIMIT = 20
CUT = (http.client.IncompleteRead, ConnectionResetError, ssl.SSLError)

BY_TLS_ALONE = "max-age=31536000"

NGINX_MAIN = """
daemon off;
pid {directory}/nginx.pid;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/m1.conf;
}}
"""


class Proxy:
    """A proxy with TLS on a port of its own, and the server behind it."""

    def __init__(self, server: Server, port: int, certificate: Path) -> None:
        self.server, self._port = server, port
        self.url, self.certificate = f"https://127.0.0.1:{port}", certificate / "cert.pem"
        self._context = ssl.create_default_context(cafile=self.certificate)
        server.add_stash()
        self.token = server.call("auth", username="admin", ip="...").text

    def open(
        self, endpoint: str, headers: Mapping[str, str], body: str
    ) -> http.client.HTTPResponse:
        """Send a call as the stranger, and give the beginning of the answer."""
        plug = socket.create_connection(("127.0.0.1", self._port), LIMIT, (CALLER, 0))
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.sock = self._context.wrap_socket(plug, server_hostname="127.0.0.1")
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"}
        sent = {"m1-auth-token": self.token, **kind, **headers}
        connection.request("POST" if body else "GET", f"/{endpoint}", body or None, sent)
        return connection.getresponse()

    def call(self, endpoint: str, **parameters: str) -> tuple[int, str]:
        """Make a call that forges where it comes from; gives status and body."""
        with self.open(endpoint, {"X-Forwarded-For": FORGED}, urlencode(parameters)) as answer:
            return answer.status, answer.read().decode()

    @property
    def answers(self) -> bool:
        """Whether it is up, and knows that the server behind it is."""
        with contextlib.suppress(OSError):
            return self.call("ping") == (200, "true")
        return False


def changed(file: str, changes: Mapping[str, str]) -> str:
    """Give an example with what this machine lacks put in; each must be there."""
    text = (DEPLOY / file).read_text()
    for said, meant in changes.items():
        assert text.count(said) >= 1, f"{file} has no {said!r}"
        text = text.replace(said, meant)
    return text


def nginx(directory: Path, port: int, certificate: Path, behind: int) -> list[str]:
    """Write nginx's files; gives the command."""
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server 127.0.0.1:8100": f"server 127.0.0.1:{behind}",
        "/etc/ssl/m1/fullchain.pem": f"{certificate}/cert.pem",
        "/etc/ssl/m1/privkey.pem": f"{certificate}/key.pem",
    }
    (directory / "m1.conf").write_text(changed("nginx.conf", changes))
    user = "" if os.getuid() else "user root root;"  # root's folders are not for others
    main = directory / "nginx.conf"
    main.write_text(NGINX_MAIN.format(directory=directory, user=user))
    return ["nginx", "-e", "stderr", "-c", str(main)]


def caddy(directory: Path, port: int, certificate: Path, behind: int) -> list[str]:
    """Write Caddy's file; gives the command."""
    changes = {
        "{\n\tservers": "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers",
        "{$SITE:sessions.example.com} {": f"https://127.0.0.1:{port} {{\n\tbind 127.0.0.1\n"
        f"\ttls {certificate}/cert.pem {certificate}/key.pem",
        "{$UPSTREAMS:127.0.0.1:8100}": f"127.0.0.1:{behind}",
    }
    (directory / "Caddyfile").write_text(changed("Caddyfile", changes))
    return ["caddy", "run", "--config", str(directory / "Caddyfile")]


COMMANDS = {"nginx": nginx, "caddy": caddy}
PACKAGES = {"nginx": "nginx-light", "caddy": "caddy"}


@contextlib.contextmanager
def proxied(name: str, directory: Path) -> Iterator[Proxy]:
    """Run a server and a proxy in front of it for as long as the block lasts."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    certificate = make_certificate(directory / "certificate")
    (port,) = free_ports(1)
    with serving(directory, "--trusted-proxies", "127.0.0.1/32") as server:
        command = COMMANDS[name](directory, port, certificate, server.port)
        home = {**os.environ, "HOME": str(directory), "XDG_DATA_HOME": str(directory)}
        with (directory / "proxy.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=home)
        try:
            proxy = Proxy(server, port, certificate)
            until(lambda: proxy.answers or process.poll() is not None, f"{name} does not answer")
            assert process.poll() is None, (directory / "proxy.log").read_text()
            yield proxy
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(LIMIT)


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """A proxy that nobody harms."""
    with proxied(request.param, tmp_path_factory.mktemp(request.param)) as started:
        yield started


def test_the_address_is_the_callers_whatever_the_caller_says(proxy: Proxy) -> None:
    ops = json.dumps([{"upsert": [{"session": {"id": "s1"}}]}])
    assert proxy.call("session/update", store="stash", ops=ops) == (204, "")
    status, text = proxy.call("session/query", store="stash", q="session.id:s1")
    assert status == 200
    assert [item["_m1"]["ip"] for item in json.loads(text)["items"]] == [CALLER]


def test_a_token_that_was_got_through_the_proxy_is_good_from_there_alone(proxy: Proxy) -> None:
    status, token = proxy.call("auth", username="admin", password="password")
    assert status == 200
    assert proxy.server.call("session/list", token=token).status == 401
    through = proxy.open("session/list", {"m1-auth-token": token}, "")
    with through:
        assert through.status == 200


def test_a_body_that_is_too_large_is_a_413_in_the_form_of_every_refusal(
    tmp_path: Path, proxy: Proxy
) -> None:
    body = tmp_path / "body"
    with body.open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    # Over HTTP/2 the stream is reset behind the early answer, and old curls lose what it said.
    http1 = ["curl", "-sS", "--http1.1", "-w", "%{http_code}"]
    curl = [*http1, "--cacert", str(proxy.certificate)]
    call = [f"{proxy.url}/session/update", "-H", f"m1-auth-token: {proxy.token}"]
    done = subprocess.run(
        [*curl, *call, "--data-binary", f"@{body}"], capture_output=True, timeout=LIMIT, check=False
    )
    text = done.stdout.decode()
    assert text[-3:] == "413", done.stderr
    assert json.loads(text[:-3])["status"] == 413


def test_a_url_and_headers_within_the_servers_limit_come_through(proxy: Proxy) -> None:
    with proxy.open(f"ping?x={'x' * 40_000}", {"X-Long": "x" * 20_000}, "") as answer:
        assert (answer.status, answer.read()) == (200, b"true")


def test_browsers_are_told_to_come_by_tls_alone(proxy: Proxy) -> None:
    for path, status in (("console", 200), ("ping", 200), ("nowhere", 404)):
        with proxy.open(path, {}, "") as answer:
            assert answer.status == status
            assert answer.headers["Strict-Transport-Security"] == BY_TLS_ALONE


@pytest.mark.parametrize(
    ("name", "how"),
    [("nginx", CUT), ("caddy", (*CUT, ValueError))],  # old Caddys end the body well, its JSON not
)
def test_a_stream_flows_at_its_readers_pace_and_one_that_is_cut_looks_cut(
    tmp_path: Path, name: str, how: type[Exception] | tuple[type[Exception], ...]
) -> None:
    with proxied(name, tmp_path) as proxy:
        made = [{"session": {"id": f"{n:04}"}, "pad": "p" * 10_000} for n in range(2_000)]
        ops = json.dumps([{"upsert": made}])
        assert proxy.server.call("session/update", store="stash", ops=ops).status == 204
        asked = urlencode({"store": "stash", "q": "*", "rows": len(made)})

        with proxy.open("session/query", {}, asked) as whole:
            assert json.loads(whole.read())["count"] == len(made)

        with proxy.open("session/query", {}, asked) as cut:
            cut.read(10_000)
            proxy.server.kill()  # a proxy that had taken the whole answer would still have it
            with pytest.raises(how):
                json.loads(cut.read())

        with proxy.open("ping", {}, "") as refusal:
            assert (refusal.status, json.loads(refusal.read())["status"]) == (503, 503)
            assert refusal.headers["Strict-Transport-Security"] == BY_TLS_ALONE
