"""The same trainings, searched in several ways: which epochs would have been spared, and what would have been missed.

What a trial does up to the moment it is given up does not depend on who watches it. So each is trained once, and every way is played
with the judge, the pruner and the seconds that a search has, in many orders of the same trials. The verdicts are those of the diagnosis,
and the time that it takes to look on is counted where they are asked.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import optuna

from benchmarks.search.trainings import Training
from training.data.parts import Problem
from training.errors import PrunedError
from training.search.stopping import STOPS, Stop
from training.search.trials import Judge

#: Way → whether Optuna's median pruner looks on, and which verdicts do.
WAYS: dict[str, tuple[bool, tuple[Stop, ...]]] = {
    "random": (False, ()),
    "random + verdicts": (False, STOPS),
    "median": (True, ()),
    "median + verdicts": (True, STOPS),
}


@dataclass(frozen=True)
class Played:
    """One order played in one way. `reached` is the seconds until the wanted accuracy, None if it never came."""

    seconds: float
    epochs: int
    best: float
    reached: float | None
    by_others: int
    by_verdict: int


def play(trainings: Sequence[Training], way: str, wanted: float, problem: Problem) -> Played:
    """Search the trainings in their order."""
    median, stops = WAYS[way]
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1) if median else optuna.pruners.NopPruner()
    study = optuna.create_study(direction="maximize", pruner=pruner)
    seconds, epochs, best, reached, pruned = 0.0, 0, 0.0, None, [0, 0]
    for training in trainings:
        trial, reason = study.ask(), None
        judge = Judge(trial, stops, problem)
        took = training.watched if stops else training.plain
        for number, figures in enumerate(training.figures):
            seconds, epochs = seconds + took[number], epochs + 1
            if training.facts:
                judge.look(training.facts[number])
            try:
                judge.epoch("training", number, figures)
            except PrunedError as error:
                reason = str(error)
                break
        if reason:
            pruned[0 if reason.startswith("others") else 1] += 1
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        study.tell(trial, training.value)
        best = max(best, training.value)
        if reached is None and training.value >= wanted:
            reached = seconds
    return Played(seconds, epochs, best, reached, *pruned)


@dataclass(frozen=True)
class Line:
    """Means over the orders. `saved` is the share of the seconds to the wanted accuracy that a way spares against plain random search in
    the same order, and its standard error; an order in which it never came counts with all its seconds.
    """

    way: str
    seconds: float
    epochs: float
    best: float
    reached_seconds: float
    saved: float
    error: float
    missed: int
    by_others: float
    by_verdict: float


def compare(trainings: Sequence[Training], wanted: float, problem: Problem, orders: int, seed: int) -> list[Line]:
    """Every way, in the same orders."""
    shuffled = [random.Random(seed + number).sample(trainings, len(trainings)) for number in range(orders)]
    plain = [_until(play(order, "random", wanted, problem)) for order in shuffled]
    lines = []
    for way in WAYS:
        played = [play(order, way, wanted, problem) for order in shuffled]
        saved = [1 - _until(one) / before for one, before in zip(played, plain, strict=True)]
        lines.append(
            Line(
                way,
                mean(one.seconds for one in played),
                mean(one.epochs for one in played),
                mean(one.best for one in played),
                mean(map(_until, played)),
                mean(saved),
                stdev(saved) / len(saved) ** 0.5 if len(saved) > 1 else 0.0,
                sum(one.reached is None for one in played),
                mean(one.by_others for one in played),
                mean(one.by_verdict for one in played),
            )
        )
    return lines


def _until(played: Played) -> float:
    return played.seconds if played.reached is None else played.reached
