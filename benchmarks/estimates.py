"""python -m benchmarks.estimates: how far off is the accuracy that is estimated without labels, when the inputs or the classes shift?

Each run parts the test rows at random in two: one half is the reference, and of the other, shifted, up to 1,000 rows are what comes.
The temperature and the threshold are those that `veleta train` stored. Next to the estimates stands what a dashboard without them would
go on saying, the accuracy of the reference. Errors are mean absolute ones against the accuracy of the very rows, in points.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.shelf import answers, find, unseen_rows
from models.errors import VeletaError
from models.store import Published
from monitoring.accuracy.calibration import Calibration
from monitoring.accuracy.estimation import METHODS, estimate
from monitoring.arrays import FloatArray, IntArray
from monitoring.reference import read_reference
from monitoring.signals import shifts

#: Three strengths of each shift; of a class that is gone, three classes; of a label shift, three concentrations.
STRENGTHS: dict[str, tuple[float, ...]] = {
    "noise": (10, 50, 100),
    "affine": (10, 40, 90),
    "brightness": (30, 60, 120),
    "blur": (0.7, 1.5, 3),
    "class_gone": (0, 1, 4),
    "label_shift": (5, 1, 0.2),
}
_SHARES = (1.0, 0.5, 0.1)
_ROWS, _MOST_TEST_ROWS = 1000, 4000
_VARIANTS = ("fp32", "int8")
_COLUMNS = ("naive", *METHODS, "shown")
_HEAD = f"{'':<42}{'accuracy':>9}" + "".join(f"{name:>13}" for name in _COLUMNS) + f"{'inside':>9}{'width':>8}"


@dataclass(frozen=True)
class Line:
    """Means over the runs: accuracy, errors by column (None: never estimated), share of intervals with the accuracy in it, their width."""

    model: str
    shift: str
    strength: float
    share: float
    accuracy: float
    errors: dict[str, float | None]
    inside: float
    width: float

    @property
    def title(self) -> str:
        return f"{self.model:<22}{self.shift:<12}{self.strength:>6g}" if self.shift else self.model

    def to_text(self) -> str:
        errors = "".join(f"{'–' if value is None else f'{100 * value:.2f}':>13}" for value in self.errors.values())
        return f"{self.title:<42}{100 * self.accuracy:>9.1f}{errors}{100 * self.inside:>8.0f}%{100 * self.width:>8.1f}"


@dataclass(frozen=True)
class Rows:
    """Test rows as a variant answered them: `clean` as they are, `shifted` after a shift of the inputs (n, classes)."""

    labels: IntArray
    clean: FloatArray
    shifted: FloatArray


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    rng = np.random.default_rng(0)
    try:
        lines = [line for name in arguments.models for line in measure(find(arguments.store, name), arguments.short, rng)]
    except VeletaError as error:
        print(f"benchmarks.estimates: {error}", file=sys.stderr)
        return 1
    print(table(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(line) for line in lines], indent=1), encoding="utf-8")
    return 0


def measure(published: Published, short: bool, rng: np.random.Generator) -> list[Line]:
    x, y = unseen_rows(published)
    chosen = rng.permutation(len(y))[:_MOST_TEST_ROWS]
    return [line for variant in _VARIANTS for line in _variant(published, variant, x[chosen], y[chosen], short, rng)]


def table(lines: Sequence[Line]) -> str:
    """A line each where all inputs are shifted; below, means over the shifts of inputs by their share, and over those of classes."""
    shown = [line.to_text() for line in lines if line.share == 1]
    inputs, classes = ([line for line in lines if line.shift in known] for known in (shifts.IMAGE_SHIFTS, shifts.CLASS_SHIFTS))
    means = [_mean([line for line in inputs if line.share == share], f"mean, {share:.0%} of the inputs shifted") for share in _SHARES]
    means.append(_mean(classes, "mean, classes shifted"))
    return "\n".join(
        ["Mean absolute error of the accuracy estimated without labels, in points", _HEAD, *shown, "", *(mean.to_text() for mean in means)]
    )


def _variant(published: Published, variant: str, x: FloatArray, y: IntArray, short: bool, rng: np.random.Generator) -> list[Line]:
    calibration = read_reference(published.file("reference.npz"), variant).calibration
    if calibration is None:
        raise VeletaError(f"{published.folder} was published before there were estimates; train it again")
    model, clean = f"{published.manifest.name} {variant}", answers(published, variant, x)
    lines = []
    for name, strength in _cases(short):
        print(f"{time.strftime('%H:%M:%S')} {model} {name} {strength:g}", file=sys.stderr, flush=True)
        moved = name in shifts.IMAGE_SHIFTS
        rows = Rows(y, clean, answers(published, variant, shifts.apply(name, x, strength, rng)) if moved else clean)
        for share in _SHARES if moved else (1.0,):
            runs = [_run(calibration, rows, name, strength, share, rng) for _ in range(3 if short else 40)]
            lines.append(_line(model, name, strength, share, runs))
    return lines


def _cases(short: bool) -> list[tuple[str, float]]:
    """Shifts and strengths; the short form takes the one in the middle."""
    return [("none", 0.0), *((name, strength) for name, all_of in STRENGTHS.items() for strength in (all_of[1:2] if short else all_of))]


@dataclass(frozen=True)
class Run:
    """What one run found. `values` by column."""

    accuracy: float
    values: dict[str, float]
    lower: float
    upper: float


def _run(calibration: Calibration, rows: Rows, name: str, strength: float, share: float, rng: np.random.Generator) -> Run:
    reference, live = np.array_split(rng.permutation(len(rows.labels)), 2)
    classes = len(calibration.confusion)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (rows.labels[reference], rows.clean[reference].argmax(axis=1)), 1)
    calibration = dataclasses.replace(calibration, confusion=confusion)
    live = _drawn(live, rows.labels, name, strength, rng)
    probabilities = np.where(rng.random((len(live), 1)) < share, rows.shifted[live], rows.clean[live])
    predicted = probabilities.argmax(axis=1)
    found = estimate(calibration, np.bincount(predicted, minlength=classes).astype(float), calibration.count(probabilities))
    assert found
    values = {"naive": calibration.accuracy} | {method: one.value for method, one in found.methods.items()} | {"shown": found.value}
    return Run(float(np.mean(predicted == rows.labels[live])), values, found.lower, found.upper)


def _drawn(live: IntArray, labels: IntArray, name: str, strength: float, rng: np.random.Generator) -> IntArray:
    rows = min(_ROWS, len(live))
    if name not in shifts.CLASS_SHIFTS:
        return live[:rows]
    weights = shifts.weights(name, labels[live], strength, rng)
    return rng.choice(live, rows, p=weights / weights.sum())


def _line(model: str, shift: str, strength: float, share: float, runs: list[Run]) -> Line:
    errors = {}
    for column in _COLUMNS:
        found = [abs(run.values[column] - run.accuracy) for run in runs if column in run.values]
        errors[column] = float(np.mean(found)) if found else None
    inside = float(np.mean([run.lower <= run.accuracy <= run.upper for run in runs]))
    width = float(np.mean([run.upper - run.lower for run in runs]))
    return Line(model, shift, strength, share, float(np.mean([run.accuracy for run in runs])), errors, inside, width)


def _mean(lines: list[Line], title: str) -> Line:
    found = {column: [error for line in lines if (error := line.errors[column]) is not None] for column in _COLUMNS}
    means = {column: float(np.mean(errors)) if errors else None for column, errors in found.items()}
    accuracy, inside, width = (float(np.mean([getattr(line, part) for line in lines])) for part in ("accuracy", "inside", "width"))
    return Line(title, "", 0, 1, accuracy, means, inside, width)


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimates", description="The error of accuracy estimated without labels.")
    parser.add_argument("--short", action="store_true", help="one strength and three runs of each: does everything run?")
    parser.add_argument("--store", type=Path, metavar="DIR", help="the models' folder (default: the cache; what is missing is trained)")
    parser.add_argument("--models", nargs="+", default=["digits", "fashion-mnist"], metavar="NAME", help="of images (default: both)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
