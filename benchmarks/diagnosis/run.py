"""One training of a case: the facts and how good it became, kept in the cache so that rules can be changed without training again."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import pickle
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diagnosis.cases import Case
from benchmarks.diagnosis.faults import Training
from monitoring.arrays import FloatArray
from training.diagnosis.facts import Facts
from training.errors import DivergedError
from training.recipe import Recipe

CACHE = Path(__file__).parents[1] / ".cache" / "diagnosis"
#: To be raised when facts mean something else than before.
FORMAT = 4


@dataclass(frozen=True)
class Outcome:
    """What came of a training: facts, score on the validation and test rows (0 if the loss was no number any more), seconds."""

    facts: Facts
    validation: float
    test: float
    diverged: bool
    seconds: float
    updates: int


def outcome(case: Case, longer: int = 1) -> Outcome:
    """Of the case, trained at most once on a machine; `longer` times as long as it says."""
    training = case.training()
    if longer > 1:
        training = training.but(epochs=longer * training.recipe.epochs, max_updates=longer * training.recipe.max_updates)
    file = CACHE / f"{case.kind}-{case.architecture}-{case.data}-{case.seed}-{_key(training)}.pickle"
    if file.exists():
        kept: Outcome = pickle.loads(file.read_bytes())
        return kept
    made = run(training)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(pickle.dumps(made))
    part.rename(file)
    return made


def run(training: Training) -> Outcome:
    """Train and measure."""
    import keras

    from training.diagnosis.watch import FactsWatch
    from training.fitting.attempt import attempt
    from training.fitting.progress import Progress

    keras.backend.clear_session()
    watch, started = FactsWatch(training.recipe), time.monotonic()
    network: Any = None
    with np.errstate(all="ignore"), contextlib.suppress(DivergedError):
        network = attempt(training.recipe, training.problem, training.split, Progress(io.StringIO()), watch=watch).network
    assert watch.facts is not None
    validation, test = (_score(network, training, name) if network is not None else 0.0 for name in ("validation", "test"))
    trace = watch.facts.trace
    updates = int(trace.steps[-1]) if trace is not None else 0
    return Outcome(watch.facts, validation, test, network is None, time.monotonic() - started, updates)


def answers(network: Any, x: Any) -> FloatArray:
    """What a network gives for all rows."""
    said: FloatArray = np.concatenate([np.asarray(network(part, training=False)) for part in np.array_split(x, max(1, len(x) // 256))])
    return said


def _score(network: Any, training: Training, name: str) -> float:
    from training.diagnosis.measure.scores import score

    part = getattr(training.split, name)
    return score(answers(network, part.x), part.y, training.problem)


def _told(recipe: Recipe) -> dict[str, Any]:
    """The recipe without a key that came later and asks for nothing, so that what was trained before it came is still known."""
    return {key: value for key, value in dataclasses.asdict(recipe).items() if (key, value) != ("flip", "none")}


def _key(training: Training) -> str:
    """Of everything that a training depends on."""
    hashed = hashlib.sha256(json.dumps([FORMAT, _told(training.recipe)], sort_keys=True, default=str).encode())
    for part in (training.split.train, training.split.validation, training.split.test):
        hashed.update(np.ascontiguousarray(part.x).data)
        hashed.update(np.ascontiguousarray(part.y).data)
    return hashed.hexdigest()[:16]
