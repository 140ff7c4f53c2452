"""Runs for the tests of the record, without a training."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from models.manifest import Dataset, Verdict
from training.runs.answers import Answers
from training.runs.outcome import accuracy
from training.runs.record import Record
from training.runs.run import Plan, Result, Run

RECIPE = {
    "seed": 0,
    "learning_rate": 0.1,
    "optimizer": "adam",
    "optimizer_arguments": {"beta_1": 0.9},
    "layers": [{"kind": "Dense", "units": 8}],
}
PLAN = Plan(
    "train", "digits", "founding.toml", RECIPE, {"seed": "fixes <everything>"}, Dataset("digits", "ab" * 32, {"train": 90, "test": 10})
)
ROWS = np.arange(1000)
VERDICT = Verdict("overfitting", "warning", "epoch 3", "validation loss up 20 %", "add dropout")


def plan(**other: Any) -> Plan:
    return dataclasses.replace(PLAN, **other)


def result(right: int, seed: int = 0, rows: Any = ROWS) -> Result:
    """A result with so many of the test rows right, at random."""
    hits = np.isin(np.arange(len(rows)), np.random.default_rng(seed).permutation(len(rows))[:right])
    scores = {part: {"accuracy": accuracy(right, len(rows))} for part in ("validation", "test")}
    return Result(scores, {"test": Answers.of(rows, hits)}, ((right, 1), (2, 3)), ("a<b>", "c"), 1234, None, {})


def recorded(record: Record, of: Plan = PLAN, right: int = 900, seed: int = 0, epochs: int = 3, gradients: bool = True) -> Run:
    """A run that came to its end."""
    with record.start(of) as run:
        for epoch in range(epochs):
            loss = 2.0 / (epoch + 1)
            run.epoch(
                "training",
                epoch,
                {"loss": loss, "val_loss": loss + 0.1, "accuracy": 1 - loss / 3, "val_accuracy": 0.9, "learning_rate": 0.1},
            )
            if gradients:
                run.epoch("training", epoch, {"gradient_norm/dense": 0.5 / (epoch + 1), "gradient_norm/probabilities": 1.0})
        run.verdicts([VERDICT])
        run.finish(result(right, seed))
    return record.read(run.id)
