"""What the operator chooses: the flags of `m1 serve`, each also as `M1_...`; flags win."""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from m1.errors import StartError
from m1.server.limits import Limits
from m1.server.peers import Network, is_loopback

DEFAULT_PORT = 8100
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True)
class Settings:
    """All that `m1 serve` can be told."""

    data: Path
    host: str
    port: int
    engine: str
    opensearch: tuple[str, ...]
    opensearch_prefix: str
    geo: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    insecure: bool
    trusted_proxies: tuple[Network, ...]
    init_secret_file: Path | None
    max_body: int
    max_head: int
    max_connections: int
    receive_seconds: float
    send_seconds: float
    query_seconds: float
    slow_seconds: float
    local_metrics: bool
    log_format: str
    quickstart: bool

    @property
    def limits(self) -> Limits:
        """What each connection may take."""
        return Limits(self.max_connections, self.max_head, self.receive_seconds, self.send_seconds)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StartError(f"{message} (m1 serve --help lists the flags)")


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read flags and environment; raises StartError that names what is wrong."""
    parser = flags()
    given = _from_environment(parser, environment)
    read = parser.parse_args([*given, *arguments])
    settings = Settings(**vars(read))
    _check(settings)
    return settings


def flags() -> argparse.ArgumentParser:
    """Give what reads the flags."""
    parser = _Parser(
        prog="m1 serve",
        description="Serve session stores over HTTP.",
        epilog="Each flag can also be given in the environment: --max-body as M1_MAX_BODY, ...",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("data"), metavar="DIR", help="where data is (./data)")
    add("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    add(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help=f"and its port ({DEFAULT_PORT}; 0: a free one)",
    )
    add(
        "--engine",
        choices=("embedded", "opensearch"),
        default="embedded",
        help="what keeps the items: files in --data, or a cluster (embedded)",
    )
    add(
        "--opensearch",
        type=_urls,
        default=(),
        metavar="URL,...",
        help="the nodes of the cluster, for --engine opensearch; who we are there stands in the "
        "environment as OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD",
    )
    add(
        "--opensearch-prefix",
        type=_prefix,
        default="m1",
        metavar="NAME",
        help="how the names of our indices begin (m1)",
    )
    add("--geo", type=Path, metavar="FILE", help="a MaxMind City .mmdb, for _m1.geo")
    add("--tls-cert", type=Path, metavar="FILE", help="serve https with this certificate chain")
    add("--tls-key", type=Path, metavar="FILE", help="and this key")
    add("--insecure", action="store_true", help="listen beyond this machine without TLS")
    add(
        "--trusted-proxies",
        type=_networks,
        default=(),
        metavar="CIDR,...",
        help="proxies whose X-Forwarded-For is believed (none)",
    )
    add(
        "--init-secret-file",
        type=Path,
        metavar="FILE",
        help="a file with the secret that /init needs; without it /init is for this machine",
    )
    add("--max-body", type=_count, default=64 * 2**20, help="the largest body in bytes (64 MiB)")
    add("--max-head", type=_count, default=64 * 2**10, help="the largest URL and headers (64 KiB)")
    add("--max-connections", type=_count, default=1_000, help="how many at once (1000)")
    add(
        "--receive-seconds",
        type=_seconds,
        default=10.0,
        help="a request's head must be there within, its body at 1 KiB a second (10)",
    )
    add(
        "--send-seconds",
        type=_seconds,
        default=30.0,
        help="who takes nothing of an answer for so long is cut off (30)",
    )
    add(
        "--query-seconds",
        type=_seconds,
        default=30.0,
        help="a query that takes longer to begin its answer is given up (30)",
    )
    add(
        "--slow-seconds",
        type=_seconds,
        default=1.0,
        help="a request that takes longer to begin its answer is in the log (1)",
    )
    add(
        "--local-metrics",
        action="store_true",
        help="callers on this machine may read /metrics without a token",
    )
    add("--log-format", choices=("text", "json"), default="text", help="of each line (text)")
    add(
        "--quickstart",
        action="store_true",
        help="on empty data: make a user and a store, log the m1 client in, print lines to paste",
    )
    return parser


def variable_of(flag: str) -> str:
    """Give what a flag is called in the environment."""
    return "M1_" + flag.removeprefix("--").upper().replace("-", "_")


def _from_environment(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> list[str]:
    """Give what the environment says as flags, which the real ones then override."""
    given: list[str] = []
    for action in parser._actions:
        flag = action.option_strings[-1]
        value = environment.get(variable_of(flag))
        if value is None or action.dest == "help":
            continue
        if action.nargs != 0:
            given.append(f"{flag}={value}")
        elif value.lower() in ("1", "true", "yes"):
            given.append(flag)
        elif value.lower() not in ("", "0", "false", "no"):
            raise StartError(f"{flag} in the environment must be true or false, not {value!r}")
    return given


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3_600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _urls(text: str) -> tuple[str, ...]:
    urls = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise argparse.ArgumentTypeError(f"{url!r} is not like http://127.0.0.1:9200")
    return urls


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a prefix (a letter, then up to 31 of a-z 0-9 and _)"
        )
    return text


def _check(settings: Settings) -> None:
    if settings.engine == "opensearch" and not settings.opensearch:
        raise StartError("--engine opensearch needs --opensearch URL: where the cluster is")
    if settings.engine != "opensearch" and settings.opensearch:
        raise StartError("--opensearch is for --engine opensearch: give both")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise StartError("--tls-cert and --tls-key go together")
    if not is_loopback(settings.host):
        if settings.quickstart:
            raise StartError("--quickstart is for this machine alone: leave --host out")
        if settings.tls_cert is None and not settings.insecure:
            raise StartError(
                f"--host {settings.host} is open to other machines: passwords and tokens would "
                "cross the network in the clear. Give --tls-cert and --tls-key, or --insecure "
                "where something in front does TLS"
            )
    for flag, file in (
        ("--geo", settings.geo),
        ("--tls-cert", settings.tls_cert),
        ("--tls-key", settings.tls_key),
        ("--init-secret-file", settings.init_secret_file),
    ):
        if file is not None and not os.access(file, os.R_OK):
            raise StartError(f"{flag} {file}: there is no such file, or it cannot be read")
