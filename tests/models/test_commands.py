"""The command line: results on stdout, one sentence on stderr, exit codes 0, 1, 2, and no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.store import Store
from tests.live_server import ROOT, clean_environment


def veleta(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "veleta", *words], capture_output=True, text=True, cwd=ROOT, env=clean_environment(), timeout=60
    )


def test_models_and_show_as_text_and_as_json(store: Store) -> None:
    listed = veleta("models", "--store", str(store.root))
    assert listed.stdout.split("\n")[0].split() == ["digits8", "versions", "1*", "2", "(*", "live)"]

    data = json.loads(veleta("models", "--store", str(store.root), "--json").stdout)
    assert data["models"][0] == {"name": "digits8", "versions": [1, 2], "live": 1, "candidate": None}

    store.propose("digits8", 2)
    listed = veleta("models", "--store", str(store.root))
    assert listed.stdout.split("\n")[0].split(maxsplit=4) == ["digits8", "versions", "1*", "2?", "(* live, ? candidate)"]

    assert json.loads(veleta("show", "digits8/2", "--store", str(store.root), "--json").stdout)["version"] == 2
    assert "int8*" in veleta("show", "digits8", "--store", str(store.root)).stdout


def test_promote_and_rollback(store: Store) -> None:
    assert veleta("promote", "digits8", "2", "--store", str(store.root)).stdout == "digits8/2 is live\n"
    assert store.live("digits8") == 2
    assert veleta("rollback", "digits8", "--store", str(store.root)).stdout == "digits8/1 is live\n"
    assert store.live("digits8") == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["show", "nothing"], 1, "veleta: there is no model 'nothing' in"),
        (["show", "digits8/9"], 1, "veleta: 'digits8' has no version 9; it has 1, 2"),
        (["show", "digits8/x"], 1, "veleta: 'x' is not a version"),
        (["promote", "digits8", "9"], 1, "veleta: 'digits8' has no version 9"),
        (["rollback", "iris"], 1, "veleta: no version of 'iris' was live before 1"),
        (["promote", "digits8", "two"], 2, "invalid int value: 'two'"),
        (["promote", "digits8"], 2, "the following arguments are required: VERSION"),
    ],
)
def test_errors_are_one_sentence(store: Store, words: list[str], code: int, sentence: str) -> None:
    result = veleta(*words, "--store", str(store.root))

    assert result.returncode == code
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_version_with_an_altered_file_is_not_shown_as_if_it_were_whole(store: Store) -> None:
    with (store.root / "digits8/1/reference.npz").open("ab") as file:
        file.write(b"x")
    result = veleta("show", "digits8/1", "--store", str(store.root))
    assert (result.returncode, result.stdout) == (1, "")
    assert "reference.npz has sha256" in result.stderr


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in veleta("show", "nothing", "--debug").stderr


def test_unknown_commands_are_usage_errors() -> None:
    assert veleta("fly").returncode == 2
    assert veleta().returncode == 2


def test_an_unknown_setting_is_an_error_in_every_command(store: Store, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "veleta", "models", "--store", str(store.root)]
    misspelt = clean_environment() | {"VELETA_STOER": "x"}
    (tmp_path / "veleta.toml").write_text("stoer = 'x'\n")
    for folder, environment in ((ROOT, misspelt), (tmp_path, clean_environment())):
        done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment, timeout=60)
        assert done.returncode == 1
        assert "has the unknown setting" in done.stderr
        assert "stoer" in done.stderr.lower()
        assert done.stderr.count("\n") == 1


def test_help_imports_no_room() -> None:
    assert "rollback" in veleta("--help").stdout
    script = "import sys, veleta.__main__; print('numpy' in sys.modules, 'flask' in sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert modules.stdout == "False False\n"
