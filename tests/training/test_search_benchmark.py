"""The benchmark of the search: what it counts is right on trainings that are made up, and its short form runs through."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.__main__ import main
from benchmarks.search.replay import WAYS, compare, play
from benchmarks.search.trainings import Training
from models.manifest import Input
from tests.training.diagnosis_facts import after, but
from training.data.parts import Problem

pytestmark = pytest.mark.training
PROBLEM = Problem(Input("image", "float32", (None, 28, 28, 1), "image", (0.0, 255.0)), "classification", tuple("0123456789"))


def training(accuracy: float, loss: float = 1.0, epochs: int = 4) -> Training:
    """One second an epoch, a quarter more where the diagnosis looks on."""
    figures = {"loss": loss, "val_loss": loss, "val_accuracy": accuracy}
    facts = [
        but(after(epoch + 1), curves__loss=np.full(epoch + 1, loss), curves__validation_loss=np.full(epoch + 1, loss))
        for epoch in range(epochs)
    ]
    return Training(f"{accuracy}", [figures] * epochs, [1.0] * epochs, [1.25] * epochs, facts)


@pytest.mark.parametrize(
    ("way", "seconds", "others", "verdict"),
    [("random", 32, 0, 0), ("random + verdicts", 1.25 * 29, 0, 1), ("median", 28, 2, 0), ("median + verdicts", 1.25 * 27, 1, 1)],
)
def test_what_is_spared(way: str, seconds: float, others: int, verdict: int) -> None:
    """Five that are fair, one that explodes, one that is bad, and the good one: a verdict speaks after one epoch, the pruner after two."""
    trainings = [training(0.5 + place / 100) for place in range(5)] + [training(0.1, 1e6), training(0.2), training(0.9)]
    played = play(trainings, way, 0.9, PROBLEM)
    assert (played.by_others, played.by_verdict) == (others, verdict)
    assert played.best == 0.9
    assert played.seconds == played.reached == seconds
    assert played.epochs == seconds / (1.25 if "verdicts" in way else 1)


def test_a_way_that_misses_the_best_counts_with_all_its_seconds() -> None:
    late = Training(
        "late",
        [
            {"loss": 1.0 / (1 + epoch), "val_loss": 1.0 / (1 + epoch), "val_accuracy": value}
            for epoch, value in enumerate((0.0, 0.3, 0.6, 0.9))
        ],
        [1.0] * 4,
        [1.0] * 4,
    )
    trainings = [training(0.5) for _ in range(6)] + [late]
    assert play(trainings, "random", 0.9, PROBLEM).reached == 28
    played = play(trainings, "median", 0.9, PROBLEM)
    assert (played.reached, played.seconds, played.by_others) == (None, 26, 1)


def test_the_plain_way_spares_nothing() -> None:
    lines = compare([training(0.1 * place) for place in range(1, 10)], 0.85, PROBLEM, orders=3, seed=0)
    assert [line.way for line in lines] == list(WAYS)
    assert (lines[0].saved, lines[0].missed) == (0.0, 0)


def test_the_short_form_runs_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        assert main(["--short", "--trials", "2", "--epochs", "2", "--orders", "2", "--json", str(tmp_path / "lines.json")]) == 0
    out = capsys.readouterr().out
    assert all(way in out for way in WAYS)
    lines = json.loads((tmp_path / "lines.json").read_text())
    assert lines[0]["epochs"] == 4
    assert lines[0]["best"] > 0
