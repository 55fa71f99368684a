"""The files of deploy/ are what docs/deployment.md says, and name nothing that does not exist."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from m1.errors import DamagedData, Misuse, StartError
from m1.server import data
from m1.server.run import _GRACE_SECONDS
from m1.server.settings import flags as flags_of_serve
from tests.serving import serving

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "deployment.md").read_text()
OTHERS = {"grafana", "prometheus", "secrets"}
"""Folders of deploy/ that are kept by other tests, or by nobody."""
FILES = sorted(
    file
    for file in DEPLOY.rglob("*")
    if file.is_file() and file.relative_to(DEPLOY).parts[0] not in OTHERS
)
CLIENTS = {"M1_HOME", "M1_TOKEN"}
PROGRAM = "/opt/m1/bin/m1"


def unit(name: str) -> configparser.SectionProxy:
    """Read the section [Service] of a unit."""
    read = configparser.RawConfigParser(strict=False)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string((DEPLOY / name).read_text())
    return read["Service"]


@pytest.fixture(scope="module")
def compose() -> Any:
    """The compose file, with what its anchors stand for."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_is_documented(file: Path) -> None:
    assert f"`deploy/{file.relative_to(DEPLOY)}`" in PAGE


@pytest.mark.parametrize(
    "text", [PAGE, *map(Path.read_text, FILES)], ids=["page", *(f.name for f in FILES)]
)
def test_every_flag_and_variable_exists(text: str) -> None:
    flags = {flag for action in flags_of_serve()._actions for flag in action.option_strings}
    variables = {"M1_" + flag.removeprefix("--").upper().replace("-", "_") for flag in flags}
    assert set(re.findall(r"\bM1_[A-Z_]+\b", text)) <= variables | CLIENTS
    for command, given in re.findall(r"\bm1 (serve|backup|restore|check|repair)\b(.*)", text):
        known = flags if command == "serve" else set(data.flags(command)._option_string_actions)
        assert set(re.findall(r"(?<=\s)--[a-z][a-z-]*", given)) <= known


def test_the_service_waits_for_the_end_and_repeats_only_what_a_start_may_cure() -> None:
    service = unit("m1.service")
    assert int(service["TimeoutStopSec"]) > _GRACE_SECONDS
    assert service["Restart"] == "on-failure"
    codes = {str(error.exit_code) for error in (Misuse, StartError, DamagedData)}
    assert set(service["RestartPreventExitStatus"].split()) == codes


@pytest.mark.parametrize("name", ["m1.service", "m1-backup.service"])
def test_the_services_have_a_user_a_folder_and_nothing_else(name: str) -> None:
    service = unit(name)
    for setting, value in {
        "DynamicUser": "yes",
        "User": "m1",
        "StateDirectoryMode": "0700",
        "UMask": "0077",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "SystemCallFilter": "@system-service",
    }.items():
        assert service[setting] == value, setting
    assert service["StateDirectory"].split()[0] == "m1"
    assert {"AF_NETLINK", "AF_PACKET"}.isdisjoint(service["RestrictAddressFamilies"].split())


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    units = []
    for name in ("m1.service", "m1-backup.service", "m1-backup.timer"):
        units.append(tmp_path / name)
        units[-1].write_text((DEPLOY / name).read_text().replace(PROGRAM, sys.executable))
    verify = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for file in units[:2]:
        security = ["systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=15"]
        done = subprocess.run(
            [*security, str(file)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout


def test_the_backup_that_the_timer_makes_can_be_restored(tmp_path: Path) -> None:
    lines = re.findall(
        r"^ExecStart=(.*)$", (DEPLOY / "m1-backup.service").read_text(), re.MULTILINE
    )
    (tmp_path / "m1-backup").mkdir()
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m m1 "$@"\n')
    program.chmod(0o755)

    def run(line: str) -> None:
        said = line.replace("$$", "$").replace(PROGRAM, str(program))
        meant = {"%%": "%", "%S": str(tmp_path)}
        command = shlex.split(re.sub("%.", lambda found: meant[found[0]], said))
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    with serving(tmp_path) as server:
        server.add_stash()
        (tmp_path / "m1").symlink_to(tmp_path / "data")
        for line in lines:
            run(line)
    (backup,) = (tmp_path / "m1-backup").iterdir()
    run(f"{PROGRAM} restore --from {backup} --data {tmp_path}/again/data")
    with serving(tmp_path / "again") as server:
        server.log_in()
        assert [store["name"] for store in server.call("session/list").json] == ["stash"]


def test_the_image_is_made_of_hashes_and_runs_for_nobody_in_particular() -> None:
    steps = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    installs = [step for step in steps if "pip install" in step]
    assert installs
    assert all("--require-hashes" in step for step in installs)
    last = steps[[n for n, step in enumerate(steps) if step.startswith("FROM ")][-1] :]
    for step in ("USER 10001:10001", "VOLUME /data", "STOPSIGNAL SIGTERM"):
        assert step in last
    assert any(step.startswith("HEALTHCHECK ") for step in last)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [
        step.split()[1] for step in steps if step.startswith("COPY ") and "--from" not in step
    ]
    assert ignored[1] == "*"
    assert {f"!{each}" for each in copied} == {line for line in ignored if line.startswith("!")}


def test_the_cluster_is_three_nodes_two_servers_and_a_proxy(compose: Any) -> None:
    services = compose["services"]
    nodes = [name for name in services if name.startswith("node")]
    servers = [name for name in services if name.startswith("server")]
    assert (len(nodes), len(servers), len(services)) == (3, 2, 6)
    for name in nodes:
        environment = services[name]["environment"]
        assert environment["node.name"] == name
        assert environment["discovery.seed_hosts"].split(",") == nodes
        assert environment["cluster.initial_cluster_manager_nodes"].split(",") == nodes
        assert services[name]["ulimits"] == {"memlock": -1, "nofile": 65536}
        assert services[name]["networks"] == ["nodes"]
        assert "healthcheck" in services[name]
    for name in servers:
        service = services[name]
        urls = service["environment"]["M1_OPENSEARCH"].split(",")
        assert urls == [f"http://{node}:9200" for node in nodes]
        assert (
            service["environment"]["M1_INIT_SECRET_FILE"] == f"/run/secrets/{service['secrets'][0]}"
        )
        assert set(service["depends_on"]) == set(nodes)
        assert int(service["stop_grace_period"].rstrip("s")) > _GRACE_SECONDS
    assert compose["networks"]["nodes"]["internal"]


def test_the_proxy_of_the_cluster_asks_all_servers_and_is_the_one_that_is_trusted(
    compose: Any,
) -> None:
    services = compose["services"]
    proxy = services["proxy"]
    servers = [name for name in services if name.startswith("server")]
    assert proxy["environment"]["UPSTREAMS"].split() == [f"{name}:8100" for name in servers]
    address = proxy["networks"]["front"]["ipv4_address"]
    for name in servers:
        assert services[name]["environment"]["M1_TRUSTED_PROXIES"] == f"{address}/32"
    for placeholder in re.findall(r"\{\$([A-Z]+):", (DEPLOY / "Caddyfile").read_text()):
        assert placeholder in proxy["environment"]
