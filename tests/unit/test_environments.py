"""The file of environments."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from m1.environments import Environment, Environments
from m1.errors import Misuse


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of environments that is not there yet."""
    directory = tmp_path / "deep" / "home"
    monkeypatch.setenv("M1_HOME", str(directory))
    return directory


def mode(path: Path) -> int:
    """Give the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_there_are_none_before_the_first_is_added(home: Path) -> None:
    assert Environments().all() == {}
    assert not home.exists()


def test_an_environment_is_kept_with_its_token(home: Path) -> None:
    Environments().save("local", "http://127.0.0.1:8100", "secret")
    assert Environments().find("local") == Environment("http://127.0.0.1:8100", "secret")


def test_a_token_is_in_no_text_about_an_environment() -> None:
    assert repr(Environment("http://a", "secret")) == "Environment(url='http://a')"


def test_a_slash_at_the_end_of_a_url_is_left_out(home: Path) -> None:
    Environments().save("local", "http://127.0.0.1:8100/")
    assert Environments().find("local").url == "http://127.0.0.1:8100"


def test_adding_leaves_the_others_as_they_are(home: Path) -> None:
    Environments().save("one", "http://one", "1")
    Environments().save("two", "http://two", "2")
    Environments().save("one", "http://uno", "3")
    assert Environments().all() == {
        "one": Environment("http://uno", "3"),
        "two": Environment("http://two", "2"),
    }


def test_a_removed_one_is_gone(home: Path) -> None:
    Environments().save("one", "http://one")
    Environments().save("two", "http://two")
    Environments().remove("one")
    assert list(Environments().all()) == ["two"]
    with pytest.raises(Misuse, match="no environment one"):
        Environments().remove("one")


def test_an_unknown_name_says_how_to_add_it(home: Path) -> None:
    with pytest.raises(Misuse, match="m1 environments add test-m1 URL"):
        Environments().find("test-m1")


def test_a_url_needs_no_entry(home: Path) -> None:
    assert Environments().find("http://127.0.0.1:1/") == Environment("http://127.0.0.1:1")


def test_a_url_uses_the_token_of_the_environment_at_that_url(home: Path) -> None:
    Environments().save("local", "http://127.0.0.1:1", "secret")
    assert Environments().find("http://127.0.0.1:1/").token == "secret"


def test_a_url_uses_the_token_that_is_there_and_not_an_entry_without_one(home: Path) -> None:
    Environments().save("added", "http://127.0.0.1:1")
    Environments().save("logged-in", "http://127.0.0.1:1", "secret")
    assert Environments().find("http://127.0.0.1:1").token == "secret"


def test_the_folder_and_the_file_are_for_their_owner_alone(home: Path) -> None:
    home.mkdir(parents=True, mode=0o755)
    home.chmod(0o755)
    Environments().save("local", "http://127.0.0.1:8100", "secret")
    file = home / "environments.json"
    assert (mode(home), mode(file)) == (0o700, 0o600)
    file.chmod(0o644)
    Environments().save("other", "http://127.0.0.1:8101")
    assert mode(file) == 0o600
    assert [each.name for each in home.iterdir()] == ["environments.json"]


def test_the_file_is_json_that_people_can_read(home: Path) -> None:
    Environments().save("local", "http://127.0.0.1:8100", "secret")
    text = (home / "environments.json").read_text()
    assert json.loads(text) == {"local": {"url": "http://127.0.0.1:8100", "token": "secret"}}
    assert len(text.splitlines()) > 1


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"a": 1}', '{"a": {}}', '{"a": {"x": 1}}'])
def test_a_file_that_cannot_be_read_is_named(home: Path, text: str) -> None:
    home.mkdir(parents=True)
    file = home / "environments.json"
    file.write_text(text)
    with pytest.raises(Misuse, match=r"environments\.json cannot be read"):
        Environments().all()
    with pytest.raises(Misuse):
        Environments().save("local", "http://127.0.0.1:8100")
    assert file.read_text() == text


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("M1_HOME", str(tmp_path / "file"))
    with pytest.raises(Misuse, match="file"):
        Environments().save("local", "http://127.0.0.1:8100")


def test_without_m1_home_it_is_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("M1_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    Environments().save("local", "http://127.0.0.1:8100")
    assert (tmp_path / ".m1" / "environments.json").is_file()
