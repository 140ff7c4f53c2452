"""`veleta search` with real trainings: a small grid, searched in this process, and one that is killed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from models.manifest import Input
from tests.training.diagnosis_facts import after, but
from tests.training.runs import ROOT
from training.data.parts import Problem
from training.errors import PrunedError
from training.recipe import read_recipe
from training.runs.record import Record
from training.runs.run import Run
from training.search.stopping import STOPS
from training.search.trials import Judge
from veleta.__main__ import main

pytestmark = pytest.mark.training
RECIPE = """
epochs = 2          # enough to tell good from bad
max_rows = 300
batch_size = 32
optimizer = "sgd"
layers = [{kind = "Flatten"}, {kind = "Dense", units = 8, activation = "relu"}]

[search]
learning_rate = {values = [0.1, 1000.0]}
"layers.1.units" = {values = [8, 16]}
"""
PROBLEM = Problem(Input("image", "float32", (None, 28, 28, 1), "image", (0.0, 255.0)), "classification", tuple("0123456789"))


class Searched:
    """What a search printed and left."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        (folder / "tiny.toml").write_text(RECIPE)
        self.words = ["search", str(folder / "tiny.toml"), "--store", str(folder / "store"), "--out", str(folder / "found.toml"), *words]

    def again(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
        code = main([*self.words, *words])
        out, err = capsys.readouterr()
        return code, out, err

    @property
    def runs(self) -> list[Run]:
        """Oldest first."""
        return Record.of(self.folder / "store").runs()[0][::-1]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A grid of four points; the process is killed in its second trial, and the search goes on in this process."""
    search = Searched(tmp_path_factory.mktemp("searched"), "--method", "grid", "--json")
    with subprocess.Popen(
        [sys.executable, "-m", "veleta", *search.words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        deadline = time.monotonic() + 200
        while sum(run.plan.kind == "trial" for run in search.runs) < 2:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    return search


@pytest.fixture(scope="module")
def result(searched: Searched) -> dict[str, Any]:
    handler, before = signal.getsignal(signal.SIGTERM), [(run.id, run.state) for run in searched.runs]
    assert before[0][1] == before[-1][1] == "interrupted"
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", lambda *words, **how: printed.append(" ".join(map(str, words))) if "file" not in how else None)
        assert main(searched.words) == 0
    signal.signal(signal.SIGTERM, handler)
    found: dict[str, Any] = json.loads(printed[-1])
    return found


def test_a_killed_search_goes_on_and_loses_nothing(searched: Searched, result: dict[str, Any]) -> None:
    runs = searched.runs
    trials = [run for run in runs if run.plan.kind == "trial"]
    states = Counter(run.state for run in trials)
    assert states["interrupted"] == 1
    assert states["done"] + states["pruned"] == 4
    assert len({run.plan.change for run in trials}) == 4  # what was interrupted was tried again, nothing else was
    assert result["trials"] == {"complete": states["done"], "pruned": states["pruned"], "fail": 1}
    first, second = (run for run in runs if run.plan.kind == "search")
    assert (first.state, second.state) == ("interrupted", "done")
    assert first.plan.change == "begins tiny: grid over learning_rate, layers.1.units"
    assert {run.plan.parent for run in trials} == {first.id, second.id}


def test_what_explodes_is_given_up_with_the_reason(searched: Searched, result: dict[str, Any]) -> None:
    pruned = [run for run in searched.runs if run.state == "pruned"]
    assert pruned
    assert all("learning_rate 1000" in run.plan.change for run in pruned)
    assert any((run.error or "").startswith("exploding: the loss is ") for run in pruned)
    assert all("learning-rate-too-high" in [verdict.kind for verdict in run.verdicts] for run in pruned)
    assert all(len(run.fits[0].layers) == 2 for run in pruned)  # whose gradients were measured


def test_the_recipe_that_is_found_is_the_best_trial(searched: Searched, result: dict[str, Any]) -> None:
    done = [run for run in searched.runs if run.plan.kind == "trial" and run.state == "done"]
    best = max(done, key=lambda run: run.result.scores["validation"]["accuracy"].value)
    source = read_recipe(searched.folder / "found.toml")
    assert result["best"]["validation"] == best.result.scores["validation"]["accuracy"].value
    assert source.recipe.to_dict() == Record.of(searched.folder / "store").read(result["best"]["run"]).plan.recipe
    assert source.reasons["learning_rate"] == f"found by search: 4 trials, validation {result['best']['validation']:.4f}"
    assert source.reasons["epochs"] == "enough to tell good from bad"
    search = Record.of(searched.folder / "store").read(result["run"])
    assert search.result.scores["validation"]["accuracy"] == best.result.scores["validation"]["accuracy"]


def test_the_test_rows_are_never_looked_at(searched: Searched, result: dict[str, Any]) -> None:
    assert all(set(run.result.scores) <= {"validation"} for run in searched.runs)
    assert all(set(run.result.answers) <= {"validation"} for run in searched.runs)


def test_a_search_that_is_done_says_so_in_words(searched: Searched, result: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    searched.words.remove("--json")
    code, out, err = searched.again(capsys)
    assert code == 0
    assert "4 of 4 trials are done" in err
    assert out.splitlines()[0].split() == ["trial", "run", "validation", "epochs", "what"]
    assert f"{searched.folder}/found.toml is written: validation {result['best']['validation']:.4f}, the best of 4 trials" in out
    assert out.splitlines()[-1] == f"next: veleta train {searched.folder}/found.toml"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--trials", "0"], "--trials is 0"),
        (["--seed", "-1"], "--seed is -1, expected 0 to 4294967295"),
        (["--set", "epochs=0"], "epochs is 0"),
        (["--data", "nothing"], "there is no data set"),
        (["--set", "epochs=3"], "was begun with another recipe"),
    ],
)
def test_bad_input_is_one_sentence(
    searched: Searched, result: dict[str, Any], capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    code, out, err = searched.again(capsys, *words)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("veleta: ")
    assert sentence in err.splitlines()[-1]


def test_others_doing_better_is_a_reason() -> None:
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0))
    good = study.ask()
    judge = Judge(good, STOPS, PROBLEM)
    for epoch in (0, 1, 0):  # a second fit of the same trial counts on
        judge.epoch("training", epoch, {"loss": 1.0, "val_accuracy": 0.9})
    study.tell(good, 0.9)
    assert study.trials[0].intermediate_values == {0: 0.9, 1: 0.9, 2: 0.9}
    judge = Judge(study.ask(), STOPS, PROBLEM)
    with pytest.raises(PrunedError, match=r"others did better after 1 epoch$"):
        judge.epoch("training", 0, {"loss": 1.0, "val_accuracy": 0.5})


def test_a_loss_that_is_no_number_ends_a_trial() -> None:
    judge = Judge(optuna.create_study().ask(), STOPS, PROBLEM)
    judge.look(but(after(1), curves__loss=np.array([math.nan])))
    with pytest.raises(PrunedError, match="not a number"):
        judge.epoch("training", 0, {"loss": math.nan, "val_loss": math.nan})
