"""`veleta refresh`: what production labelled is learnt as well, and the outcome is a candidate with the evidence for it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from numpy.typing import NDArray

from models.manifest import Manifest
from models.store import Store
from tests.live_server import running
from tests.training.runs import SMALL, Run, veleta
from training.data.sources import digits
from training.runs.record import Record

pytestmark = pytest.mark.training

#: Rows of a table that are kept for production, which pays in another way.
LATER = 1000


def feed_back(store: Path, name: str, inputs: Sequence[Any], labels: Sequence[Any], *flags: str) -> float:
    """Ask a real server and tell it the labels; the share that it knew."""
    with running(store, "--workers", "2", *flags) as server:
        said = requests.post(f"{server.url}/predict/{name}", json={"instances": inputs}, timeout=60).json()["predictions"]
        pairs = [{"id": one["id"], "label": label} for one, label in zip(said, labels, strict=True)]
        counted = requests.post(f"{server.url}/feedback", json={"feedback": pairs}, timeout=60).json()
    assert counted["matched"] == len(labels)
    return float(np.mean([one.get("label") == label for one, label in zip(said, labels, strict=True)]))


def table(rows: int, seed: int, changed: bool = False) -> pd.DataFrame:
    """Who is paid much: the old, and those of the kind "a"; in a changed world the kind "c" as well, and its values are doubled."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": random.integers(18, 80, rows) + 0.1, "kind": random.choice(["a", "b", "c"], rows)})
    frame["hours"] = np.where(random.random(rows) < 0.05, np.nan, random.normal(40, 8, rows))
    much = np.isin(frame["kind"], ["a", "c"] if changed else ["a"])
    frame["pay"] = np.where(frame["age"] + 60 * much > 60, "high", "low")
    return frame


def instances(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(frame.drop(columns="pay").to_json(orient="records"))
    return found


@dataclasses.dataclass(frozen=True)
class People:
    """A store with people/1, which a changed world has labelled, and the file that it learnt from."""

    store: Path
    file: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> People:
    folder = tmp_path_factory.mktemp("people")
    table(500, seed=0).to_csv(folder / "people.csv", index=False)
    asked = ("--data", str(folder / "people.csv"), "--target", "pay", "--set", "epochs=20", "prune_epochs=1")
    done = veleta(folder / "store", "train", *asked)
    assert done.code == 0, done.err
    later = table(LATER, seed=1, changed=True)
    rows = [*instances(later), {"age": 30, "kind": "new", "hours": 40}]
    assert feed_back(folder / "store", "people", rows, [*later["pay"], "low"]) < 0.9
    return People(folder / "store", folder / "people.csv")


@pytest.fixture
def people(served: People, tmp_path: Path) -> People:
    """A copy that a test may change."""
    shutil.copytree(served.store, tmp_path / "store")
    return People(tmp_path / "store", served.file)


@pytest.fixture(scope="module")
def refreshed(served: People, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any]]:
    store = tmp_path_factory.mktemp("refreshed") / "store"
    shutil.copytree(served.store, store)
    done = veleta(store, "refresh", "people", "--json")
    assert done.code == 0, done.err
    return done, json.loads(done.out)


def test_the_outcome_is_a_candidate_and_the_live_version_stays(refreshed: tuple[Run, dict[str, Any]]) -> None:
    done, result = refreshed
    assert (done.store.live("people"), done.store.candidate("people")) == (1, 2)
    assert (result["version"], result["live"], result["candidate"], result["against"]) == (2, False, True, 1)
    done.store.open("people", 2).verify()
    assert done.store.open("people", 2).manifest.training.parent_version == 1


def test_it_says_what_was_learnt_and_what_could_not_be(refreshed: tuple[Run, dict[str, Any]]) -> None:
    done, result = refreshed
    assert result["labelled"] == LATER
    assert "1 labelled inputs are left out: they have a category that training did not know, whose name is not kept" in done.err
    before, after = (done.store.open("people", version).manifest.training for version in (1, 2))
    more = {part: after.dataset.rows[part] - before.dataset.rows[part] for part in before.dataset.rows}
    assert sum(more.values()) == LATER
    assert min(more.values()) > 0.1 * LATER
    assert after.dataset.original_sha256 == before.dataset.sha256 != after.dataset.sha256
    assert after.recipe == before.recipe
    card = (done.store.root / "people/2/card.html").read_text()
    assert f"the table people.csv, and {LATER:,} inputs that production labelled, answered on " in card


def test_it_is_better_where_the_world_has_changed(refreshed: tuple[Run, dict[str, Any]]) -> None:
    trial = refreshed[1]["trial"]
    assert trial["original"]["rows"] == 100
    assert trial["production"]["rows"] > 0.1 * LATER
    assert trial["production"]["better"]
    assert trial["production"]["won"] > trial["production"]["lost"]
    assert trial["production"]["candidate"] > trial["production"]["live"]


def test_the_record_tells_of_it(refreshed: tuple[Run, dict[str, Any]]) -> None:
    store = refreshed[0].store
    run = Record.of(store.root).runs("people")[0][0]
    assert (run.plan.kind, run.state, run.result.version) == ("refresh", "done", 2)
    assert run.plan.change == f"people/1 with {LATER:,} labelled inputs"
    assert run.result.facts["trial_production"].endswith(": better")
    listed = veleta(store.root, "runs", "people").out
    assert f"people/1 with {LATER:,} labelled inputs" in listed


def test_a_candidate_that_is_promoted_is_refreshed_in_its_turn(people: People) -> None:
    """Its original data is still what the first version learnt from."""
    assert veleta(people.store, "refresh", "people").code == 0
    store = Store(people.store)
    store.promote("people", 2)
    assert store.candidate("people") is None
    later = table(100, seed=2, changed=True)
    feed_back(people.store, "people", instances(later), list(later["pay"]))

    done = veleta(people.store, "refresh", "people")

    assert done.code == 0, done.err
    assert "against people/2 on " in done.out
    assert done.out.endswith("It is the candidate; next: veleta promote people 3\n")
    first, third = (store.open("people", version).manifest.training.dataset for version in (1, 3))
    assert third.original_sha256 == first.sha256
    assert sum(third.rows.values()) == sum(first.rows.values()) + LATER + 100


def test_data_that_was_moved_is_asked_for_and_other_data_refused(people: People, tmp_path: Path) -> None:
    moved = tmp_path / "moved.csv"
    shutil.copy(people.file, moved)
    shutil.rmtree(people.store / ".veleta/runs")

    unknown = veleta(people.store, "refresh", "people")
    other = veleta(people.store, "refresh", "people", "--data", str(moved), "--target", "kind")
    found = veleta(people.store, "refresh", "people", "--data", str(moved), "--target", "pay")

    assert (unknown.code, unknown.err.strip()) == (
        1,
        "veleta: where the data of people/1 is, 'people', is not on record here; say it with --data",
    )
    assert (other.code, other.err.count("\n")) == (1, 1)
    assert f"{moved} is not what people/1 learnt from: its sha256 is " in other.err
    assert found.code == 0, found.err


def _without_labels(store: Path) -> None:
    for path in (store / ".veleta").glob("e*.db*"):
        path.unlink()


def _with_unread_examples(store: Path) -> None:
    _without_labels(store)
    (store / ".veleta/events.db").touch()
    (store / ".veleta/examples.db").write_bytes(b"no database" * 1000)


def _imported(store: Path) -> None:
    path = store / "people/1/manifest.json"
    data = json.loads(path.read_text())
    data["training"]["recipe"]["epochs"] = 0
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("spoil", "words", "sentence"),
    [
        (None, ["nothing"], "veleta: there is no model 'nothing' in "),
        (None, ["people", "--target", "pay"], "veleta: --target, --task and --kind say what --data is; give that as well"),
        (None, ["people", "--state", "nowhere"], "veleta: no server has noted anything in nowhere; send labels to /feedback"),
        (None, ["people", "--since", "2999-01-01"], "veleta: no input of people since then is kept with its label in "),
        (_without_labels, ["people"], "veleta: no server has noted anything in "),
        (_with_unread_examples, ["people"], "examples.db cannot be used: file is not a database; remove it"),
        (_imported, ["people"], "veleta: people/1 was imported, so how it was trained is not known; go on from it with `veleta train"),
    ],
)
def test_errors_are_one_sentence(spoil: Any, words: list[str], sentence: str, people: People) -> None:
    if spoil:
        spoil(people.store)
    done = veleta(people.store, "refresh", *words)
    assert (done.code, done.err.count("\n"), done.out) == (1, 1, "")
    assert sentence in done.err
    assert Store(people.store).candidate("people") is None


def test_labels_without_their_inputs_are_not_enough(people: People) -> None:
    for path in (people.store / ".veleta").glob("examples.db*"):
        path.unlink()
    done = veleta(people.store, "refresh", "people")
    assert done.code == 1
    assert "no input of people is kept with its label in " in done.err


def test_images_that_a_client_turned_negative(tmp_path: Path) -> None:
    """The whole way for the founding network: it knows them no longer, and its candidate does."""
    store = tmp_path / "store"
    done = veleta(store, "train", "--set", *SMALL)
    assert done.code == 0, done.err
    whole = digits().rest.draw(400, seed=5)
    negative: NDArray[np.uint8] = (255 - whole.x).astype(np.uint8)
    assert feed_back(store, "digits", negative.tolist(), [str(label) for label in whole.y]) < 0.4

    result = json.loads(veleta(store, "refresh", "digits", "--json").out)

    assert result["labelled"] == 400
    assert result["trial"]["production"]["candidate"] > result["trial"]["production"]["live"] + 0.3
    assert result["trial"]["production"]["better"]
    candidate: Manifest = Store(store).open("digits", 2).manifest
    assert candidate.training.dataset.name == "digits"


def test_values_are_refreshed_as_classes_are(tmp_path: Path) -> None:
    store = tmp_path / "store"
    frame, later = table(600, seed=0), table(300, seed=1)
    frame["pay"] = frame["age"] * 2.5 + 0.25
    frame.to_csv(tmp_path / "values.csv", index=False)
    assert veleta(store, "train", "--data", str(tmp_path / "values.csv"), "--set", "epochs=8", "prune_epochs=1").code == 0
    feed_back(store, "values", instances(later), (later["age"] * 4).tolist())

    done = veleta(store, "refresh", "values", "--json")

    assert done.code == 0, done.err
    trial = json.loads(done.out)["trial"]["production"]
    assert trial["candidate"] < trial["live"]
    assert trial["better"]
