"""`veleta trial`: a candidate against the live version by what was labelled since, as a real server has noted it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from models.store import Store
from tests import small_models
from tests.live_server import ROOT, clean_environment, running
from tests.small_models import Data
from training.onnx.answers import answer


def trial(store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veleta", "trial", *words, "--store", str(store.root)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=clean_environment(), timeout=100)


def reported(store: Store, *words: str) -> dict[str, Any]:
    done = trial(store, *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def feed_back(store: Store, name: str, instances: list[Any], labels: Sequence[Any]) -> None:
    with running(store.root, "--workers", "2", "--tick-seconds", "0.2") as server:
        said = requests.post(f"{server.url}/predict/{name}", json={"instances": instances}, timeout=60).json()["predictions"]
        pairs = [{"id": one["id"], "label": label} for one, label in zip(said, labels, strict=True)]
        counted = requests.post(f"{server.url}/feedback", json={"feedback": pairs}, timeout=60).json()
        assert counted["matched"] == len(labels)


@pytest.fixture(scope="module")
def tried(shelf: Path, digits8: Data, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """digits8/1 is live, and 300 of its predictions are labelled."""
    root = tmp_path_factory.mktemp("tried") / "store"
    shutil.copytree(shelf, root)
    store = Store(root)
    store.propose("digits8", 2)
    feed_back(store, "digits8", digits8.test_x[:300].tolist(), [str(label) for label in digits8.test_y[:300]])
    return store


def test_it_says_what_each_of_them_answers(tried: Store, digits8: Data) -> None:
    found = reported(tried, "digits8")

    x, unique = np.unique(digits8.test_x[:300], axis=0, return_index=True)
    y = digits8.test_y[:300][unique]
    first, second = (answer(tried.open("digits8", version).path(), x.astype(np.float32))[0].argmax(axis=1) == y for version in (1, 2))
    assert (found["live"], found["candidate"], found["rows"]) == (1, 2, len(x))
    assert found["accuracy"] == pytest.approx({"live": first.mean(), "candidate": second.mean()})
    assert (found["won"], found["lost"]) == ((second & ~first).sum(), (first & ~second).sum())


def test_it_is_said_in_words(tried: Store) -> None:
    first, second, third, fourth = trial(tried, "digits8").stdout.splitlines()
    assert first.startswith("digits8/2 against digits8/1, which is live, by ")
    assert first.endswith(" inputs that were answered since 2026-01-02 00:00:00 UTC and labelled")
    assert second.startswith("accuracy 0.")
    assert " rows done better, " in third
    assert fourth == "it is worse, beyond chance"


def test_a_version_that_is_worse_is_found_out(tried: Store, digits8: Data, tmp_path: Path) -> None:
    shutil.copytree(tried.root, tmp_path / "store")
    store = Store(tmp_path / "store")
    wrong = small_models.Data(**{**vars(digits8), "train_y": np.roll(digits8.train_y, 1)})
    small_models.publish(store, "digits8", wrong, tmp_path / "wrong")
    assert reported(store, "digits8", "3")["state"] == "worse"
    assert reported(store, "digits8")["candidate"] == 2


def test_what_was_sent_many_times_or_may_have_been_learnt_is_left_out(store: Store, digits8: Data) -> None:
    store.propose("digits8", 2)
    feed_back(store, "digits8", digits8.test_x[:20].tolist() * 3, [str(label) for label in digits8.test_y[:20]] * 3)
    assert reported(store, "digits8")["rows"] == 20

    path = store.root / "digits8/2/manifest.json"
    manifest = json.loads(path.read_text())
    later = manifest | {"created": "2999-01-01T00:00:00Z"}
    path.write_text(json.dumps(later))
    done = trial(store, "digits8")
    assert done.returncode == 1
    nothing = "nothing that was answered since 2999-01-01 00:00:00 UTC is kept with its label"
    assert done.stderr == f"veleta: {nothing}; send labels to /feedback, and ask again then\n"


def test_values_of_a_table_by_the_names_of_its_columns(patients: Data, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for folder, regularization in (("a", 1.0), ("b", 0.001)):
        small_models.publish(store, "diabetes", patients, tmp_path / folder, regularization=regularization)
    rows = len(patients.tests)
    feed_back(store, "diabetes", list(patients.tests), patients.test_y.tolist())

    found = reported(store, "diabetes", "2")

    first, second = (
        np.abs(answer(store.open("diabetes", version).path(), patients.test_x)[0][:, 0] - patients.test_y) for version in (1, 2)
    )
    assert found["rows"] == rows
    assert found["mae"] == pytest.approx({"live": first.mean(), "candidate": second.mean()}, rel=1e-4)
    assert (found["won"], found["lost"]) == ((second < first).sum(), (first < second).sum())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing"], "there is no model 'nothing' in "),
        (["iris"], "iris has no candidate; make one with `veleta refresh iris`, or say which version is to be tried"),
        (["digits8", "1"], "digits8/1 is live; there is nothing to try it against"),
        (["digits8", "0"], "'digits8' has no version 0; it has 1, 2"),
        (["digits8", "2"], "no server has noted anything in "),
    ],
)
def test_errors_are_one_sentence(words: list[str], sentence: str, store: Store) -> None:
    done = trial(store, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("veleta: ")
    assert sentence in done.stderr
