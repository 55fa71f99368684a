"""What watches a server: the metrics' page, the alerts and the dashboard say what is true."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from m1.metrics import declared

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "metrics.md").read_text()
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "m1.json").read_text())
DECLARED = {metric.name: metric for metric in declared()}
NAME = re.compile(r"\b(?:m1|process)_[a-z0-9_]+")
COLUMNS = 24


def rows(head: str) -> list[list[str]]:
    """Give the cells of the page's table with a first column of some beginning."""
    lines = [line for line in PAGE.splitlines() if re.match(rf"\| {head}", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def panels() -> list[dict[str, Any]]:
    """Give the panels of the dashboard that show something."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """Give what the dashboard asks for."""
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def alerts() -> list[str]:
    """Give the names of the alerts."""
    return re.findall(r"- alert: (\w+)", ALERTS.read_text())


def metrics_in(text: str) -> set[str]:
    """Give the metrics that a text names, without what a histogram puts behind."""
    names = set(NAME.findall(text))
    return {re.sub("_(bucket|sum|count)$", "", name) for name in names}


def test_the_page_lists_the_metrics_as_they_are_declared() -> None:
    listed = [(name, kind, said) for name, kind, _, said in rows("(?:m1|process)_")]
    assert sorted(listed) == sorted(DECLARED.values())


def test_the_page_says_of_every_alert_what_to_do() -> None:
    told = rows("M1[A-Z]")
    assert [name for name, *_ in told] == alerts()
    assert all(len(advice) > 40 for *_, advice in told)


def test_alerts_and_dashboard_name_metrics_that_there_are() -> None:
    named = metrics_in(ALERTS.read_text()).union(*map(metrics_in, expressions()))
    assert named <= DECLARED.keys()


def test_the_dashboard_shows_every_metric_of_ours() -> None:
    shown = set[str]().union(*map(metrics_in, expressions()))
    assert {name for name in DECLARED if name.startswith("m1_")} <= shown


def test_the_dashboard_is_one() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "job", "instance"}
    for panel in panels():
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))


# --- with Prometheus' own tool ---


def promtool(*arguments: str) -> None:
    """Run promtool, and insist."""
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_configuration_and_the_alerts() -> None:
    promtool("check", "config", str(ALERTS.parent / "prometheus.yml"))


def test_prometheus_can_read_what_the_dashboard_asks_for(tmp_path: Path) -> None:
    spelled = [expr.replace("$__rate_interval", "5m") for expr in expressions()]
    recorded = [{"record": f"m1:{n}", "expr": expr} for n, expr in enumerate(spelled)]
    file = tmp_path / "rules.yml"  # JSON is YAML, too
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": recorded}]}))
    promtool("check", "rules", str(file))


SLOW = {"5": "0+0x120", "10": "0+60x120", "+Inf": "0+60x120"}
QUICK = {"0.001": "0+60x120", "0.01": "0+60x120", "+Inf": "0+60x120"}
HISTOGRAMS = {
    "M1SlowQueries": ("m1_request_seconds", {"endpoint": "session/query"}),
    "M1SlowUpdates": ("m1_request_seconds", {"endpoint": "session/update"}),
    "M1SlowCommits": ("m1_commit_seconds", {}),
    "M1SlowRefreshes": ("m1_refresh_wait_seconds", {}),
}
VALUES = {
    "M1Down": ("up", {}, "1x120", "0x120"),
    "M1PartFailing": ("m1_parts_failing", {}, "0x120", "1x120"),
    "M1DiskAlmostFull": ("m1_disk_free_bytes", {}, "500000000000x120", "4000000000x120"),
    "M1DiskFillsUp": (
        "m1_disk_free_bytes",
        {},
        "500000000000-1000000x120",
        "500000000000-1000000000x120",
    ),
    "M1Errors": (
        "m1_requests_total",
        {"endpoint": "session/query", "status": "500"},
        "0x120",
        "0+1x120",
    ),
    "M1StreamsBroken": ("m1_streams_broken_total", {}, "0x120", "0+1x120"),
    "M1Unavailable": (
        "m1_requests_total",
        {"endpoint": "session/update", "status": "503"},
        "0+1x120",
        "0+10x120",
    ),
    "M1LogStaysLong": ("m1_wal_bytes", {}, "5000000x120", "2000000000x120"),
    "M1ManyConnections": ("m1_connections_open", {}, "40x120", "900x120"),
    "M1LoginsRefused": ("m1_logins_refused_total", {"reason": "wrong"}, "0+2x120", "0+60x120"),
    "M1Restarts": ("process_start_time_seconds", {}, "1x120", "1+1x120"),
}
"""A metric, its labels, and its values minute by minute, when all is well and when it is not."""


def series(name: str, labels: dict[str, str], values: str) -> dict[str, str]:
    """Give a series as promtool wants it."""
    said = {"job": "m1", "instance": "a", **labels}
    text = ",".join(f'{label}="{value}"' for label, value in said.items())
    return {"series": f"{name}{{{text}}}", "values": values}


def world(ill: str | None) -> list[dict[str, str]]:
    """Give all series, well but for those that an alert is about."""
    served = {"endpoint": "session/query", "status": "200"}
    found = [series("m1_requests_total", served, "0+100x120")]
    for alert, (name, labels) in HISTOGRAMS.items():
        for bound, values in (SLOW if alert == ill else QUICK).items():
            found.append(series(f"{name}_bucket", {**labels, "le": bound}, values))
    told = {}
    for alert, (name, labels, well, values) in VALUES.items():
        place = json.dumps((name, labels))
        if alert == ill or place not in told:
            told[place] = series(name, labels, values if alert == ill else well)
    return found + list(told.values())


def fires(ill: str | None) -> dict[str, Any]:
    """Give a test that of all alerts that about what is ill fires, and no other."""
    firing = 'ALERTS{{alertstate="firing", alertname{}"{}"}}'
    expressions = [
        {
            "expr": f"count({firing.format(operator, ill)}) or vector(0)",
            "eval_time": "110m",
            "exp_samples": [{"labels": "{}", "value": value}],
        }
        for operator, value in (("=", 1 if ill else 0), ("!=", 0))
    ]
    return {"interval": "1m", "input_series": world(ill), "promql_expr_test": expressions}


def test_each_alert_fires_when_what_it_is_about_happens_and_no_other_does(tmp_path: Path) -> None:
    ills = [*HISTOGRAMS, *VALUES]
    assert sorted(ills) == sorted(alerts())
    file = tmp_path / "tests.yml"
    checks = [fires(ill) for ill in (None, *ills)]
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "tests": checks}))
    promtool("test", "rules", str(file))
