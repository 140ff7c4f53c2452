"""The table: a line for each recipe, and whether it reached what was wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.size.entries import MINUTES, Entry
from benchmarks.size.run import Outcome
from monitoring.accuracy.wilson import wilson
from training.fitting.folds import corrected_interval

_HEAD = (
    f"{'recipe':<13}{'parameters':>11}{'MMAC':>7}{'KiB':>7}{'int8':>6}{'epochs':>8}{'accuracy':>10}{'95 %':>18}{'int8':>9}{'minutes':>9}"
    "   goal                 published"
)


@dataclass(frozen=True)
class Line:
    """A recipe and what came of it, seed by seed."""

    entry: Entry
    outcomes: tuple[Outcome, ...]

    @property
    def accuracy(self) -> float:
        """The mean over the seeds, on the test part."""
        return sum(one.accuracy for one in self.outcomes) / len(self.outcomes)

    @property
    def int8_accuracy(self) -> float:
        return sum(one.int8_accuracy for one in self.outcomes) / len(self.outcomes)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the mean, by Student's t: how much is the luck of the seed. None of a single one."""
        if len(self.outcomes) < 2:
            return None
        lower, upper = corrected_interval([one.accuracy for one in self.outcomes], 0.0)
        return max(lower, 0.0), min(upper, 1.0)

    @property
    def minutes(self) -> float:
        """Of the slowest seed, by the time that the cores were busy."""
        return max(one.minutes_alone for one in self.outcomes)

    @property
    def reached(self) -> bool | None:
        """Whether size, accuracy and time are all as wanted; None where nothing is."""
        if self.entry.goal is None or self.entry.most_parameters is None:
            return None
        within = self.outcomes[0].parameters <= self.entry.most_parameters and self.minutes <= MINUTES
        return within and self.accuracy >= self.entry.goal

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe": self.entry.name,
            "parameters": self.outcomes[0].parameters,
            "accuracy": self.accuracy,
            "interval": self.interval,
            "int8_accuracy": self.int8_accuracy,
            "minutes": self.minutes,
            "goal": self.entry.goal,
            "reached": self.reached,
        }


def to_text(lines: Sequence[Line]) -> str:
    """Each recipe, its seeds, and what the columns mean."""
    rows, cores = lines[0].outcomes[0].test_rows, lines[0].outcomes[0].cores
    test = wilson(rows * lines[0].accuracy, rows)
    notes = (
        f"Accuracy: the mean over the seeds on {rows:,} test rows, which were looked at once; the interval says how much is the luck of",
        f"the seed. With other test rows each figure would be another by about {(test.upper - test.lower) / 2:.1%}.",
        f"Minutes: of building and fitting, the time for which {cores} cores were busy with it over their number, of the slowest seed.",
        "It is the least that the clock can show; what it did show is beside each seed, with the machine's load average before and after.",
    )
    each = [text for line in lines for text in (_text(line), *map(_seed, line.outcomes))]
    return "\n".join([_HEAD, *each, "", *notes])


def _text(line: Line) -> str:
    first, entry = line.outcomes[0], line.entry
    spread = "one seed" if line.interval is None else f"{line.interval[0]:.2%} to {line.interval[1]:.2%}"
    goal = f"{entry.goal:.1%}: {'reached' if line.reached else 'NOT REACHED'}" if entry.goal else "the baseline"
    return (
        f"{entry.name:<13}{first.parameters:>11,}{first.multiplications / 1e6:>7.2f}{first.kibibytes:>7,.0f}{first.int8_kibibytes:>6,.0f}"
        f"{first.epochs:>8}{line.accuracy:>10.2%}{spread:>18}{line.int8_accuracy:>9.2%}{line.minutes:>9.1f}   {goal:<21}{entry.published}"
    ).rstrip()


def _seed(one: Outcome) -> str:
    before, after = one.load
    return (
        f"  seed {one.seed}: {one.accuracy:.2%}, int8 {one.int8_accuracy:.2%}, validation {one.validation:.2%}; "
        f"{one.minutes_alone:.1f} minutes, {one.seconds / 60:.1f} by the clock at load {before:.1f} to {after:.1f}"
    )
