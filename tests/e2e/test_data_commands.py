"""`m1 backup`, `restore`, `check` and `repair`, as processes, beside a real server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Server, serving

PAIRS = 200


def m1(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "m1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def put(server: Server, *items: dict[str, Any]) -> None:
    ops = json.dumps([{"upsert": items}])
    answer = server.call("session/update", store="stash", ops=ops)
    assert answer.status == 204, answer.text


def whole(server: Server) -> list[dict[str, Any]]:
    found = server.call("session/query", store="stash", q="*", rows=100_000).json
    assert found["count"] == len(found["items"])
    return list(found["items"])


def filled(directory: Path, count: int) -> list[dict[str, Any]]:
    """Fill data with a server and stop it; gives all items."""
    with serving(directory) as server:
        server.log_in()
        server.call("session/add", store="stash", shards=1, replicas=1)
        put(server, *({"session": {"id": f"s{n:04}"}, "t": f"marker-{n:04}"} for n in range(count)))
        return whole(server)


def test_a_backup_of_a_busy_server_is_of_one_moment(tmp_path: Path) -> None:
    """Two items change together, always: so each number stands twice in any moment."""
    stopped = threading.Event()
    with serving(tmp_path / "one") as server:
        server.log_in()
        server.call("session/add", store="stash", shards=1, replicas=1)
        written = [0, 0]

        def write(writer: int) -> None:
            while not stopped.is_set():
                written[writer] += 1
                pair = f"{writer}-{written[writer] % PAIRS}"
                items = [{"session": {"id": f"{pair}{end}"}, "n": written[writer]} for end in "ab"]
                put(server, *items)

        writers = [threading.Thread(target=write, args=(n,)) for n in (0, 1)]
        for writer in writers:
            writer.start()
        try:
            backups = [tmp_path / f"backup-{n}" for n in range(5)]
            done = [m1("backup", "--data", tmp_path / "one" / "data", "--to", to) for to in backups]
        finally:
            stopped.set()
            for writer in writers:
                writer.join()
    assert [each.returncode for each in done] == [0] * 5, done
    assert all("sha256" in each.stderr for each in done)
    assert backups[0].stat().st_mode & 0o777 == 0o600
    for number, backup in enumerate(backups):
        data = tmp_path / f"back-{number}" / "data"
        assert m1("restore", "--from", backup, "--data", data).returncode == 0
        with serving(data.parent) as server:
            server.log_in()
            numbers = Counter((i["session"]["id"][0], i["n"]) for i in whole(server))
            assert numbers
            assert set(numbers.values()) == {2}


def test_a_restored_server_has_the_same_users_stores_and_items(tmp_path: Path) -> None:
    items = filled(tmp_path, 100)
    backup, data = tmp_path / "backup", tmp_path / "new" / "data"
    assert m1("backup", "--data", tmp_path / "data", "--to", backup).returncode == 0
    assert m1("restore", "--from", backup, "--data", data).returncode == 0
    with serving(data.parent) as server:
        server.log_in()
        assert whole(server) == items
    again = m1("restore", "--from", backup, "--data", data)
    assert again.returncode == 2
    assert "already" in again.stderr
    assert m1("backup", "--data", data, "--to", backup).returncode == 2


def test_a_damaged_backup_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 100)
    backup, data = tmp_path / "backup", tmp_path / "new"
    m1("backup", "--data", tmp_path / "data", "--to", backup)
    intact = backup.read_bytes()
    changed = [intact.replace(b"marker-0042", b"marker-0043"), intact[:-4096], intact[4096:]]
    row = intact.rindex(b"s0042")
    changed.append(intact[: row + 1] + b"9" + intact[row + 2 :])
    for damaged in changed:
        assert damaged != intact
        backup.write_bytes(damaged)
        refused = m1("restore", "--from", backup, "--data", data)
        assert refused.returncode in (2, 3), refused
        assert str(backup) in refused.stderr or "damaged" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert not data.exists()
    backup.write_bytes(intact)
    assert m1("restore", "--from", backup, "--data", data).returncode == 0


def test_check_tells_what_is_damaged_and_repair_keeps_the_rest(tmp_path: Path) -> None:
    items, data = filled(tmp_path, 300), tmp_path / "data"
    good = m1("check", "--data", data)
    assert (good.returncode, good.stdout) == (0, "nothing is damaged\n")
    file = data / "items.db"
    damaged = file.read_bytes().replace(b"marker-0042", b"marker-9042")
    file.write_bytes(damaged)
    found = m1("check", "--data", data)
    assert found.returncode == 3
    assert "fails its checksum" in found.stdout
    assert "m1 repair" in found.stderr
    refused = m1("repair", "--data", data)
    assert refused.returncode == 2
    assert "--accept-loss" in refused.stderr
    assert file.read_bytes() == damaged
    done = m1("repair", "--data", data, "--accept-loss")
    assert done.returncode == 0, done
    assert "lost: up to 1 row of" in done.stdout
    (aside,) = data.glob("damaged-*")
    assert (aside / "items.db").read_bytes() == damaged
    assert m1("check", "--data", data).returncode == 0
    with serving(tmp_path) as server:
        server.log_in()
        assert whole(server) == [item for item in items if item["t"] != "marker-0042"]


def test_repair_reads_around_pages_that_cannot_be_read(tmp_path: Path) -> None:
    items, data = filled(tmp_path, 500), tmp_path / "data"
    file = data / "items.db"
    intact = file.read_bytes()
    at = intact.index(b"marker-0250") // 4096 * 4096
    file.write_bytes(intact[:at] + b"\xff" * 4096 + intact[at + 4096 :])
    assert m1("check", "--data", data).returncode == 3
    done = m1("repair", "--data", data, "--accept-loss")
    assert done.returncode == 0, done
    with serving(tmp_path) as server:
        server.log_in()
        left = whole(server)
    assert 440 < len(left) < 500
    assert all(item in items for item in left)


@pytest.mark.parametrize("command", ["backup --to x", "check", "repair --accept-loss"])
def test_where_there_is_no_data_a_command_says_so(tmp_path: Path, command: str) -> None:
    name, *flags = command.split()
    done = m1(name, *(tmp_path / f if f == "x" else f for f in flags), "--data", tmp_path / "none")
    assert done.returncode == 2
    assert str(tmp_path / "none") in done.stderr
    assert done.stderr.count("\n") == 1


def test_check_and_repair_keep_away_from_a_running_server(server: Server, tmp_path: Path) -> None:
    with serving(tmp_path):
        for command in (["check"], ["repair", "--accept-loss"]):
            done = m1(*command, "--data", tmp_path / "data")
            assert done.returncode == 2
            assert "another server" in done.stderr


@pytest.mark.parametrize("command", ["backup", "restore", "check", "repair"])
def test_each_command_has_help(command: str) -> None:
    done = m1(command, "--help")
    assert done.returncode == 0
    assert "--data" in done.stdout
    wrong = m1(command, "--nonsense")
    assert wrong.returncode == 2
    assert "--help" in wrong.stderr
