"""A run as it is recorded: what was tried, how, and what came of it. Plain data, as JSON has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from models.manifest import Dataset, Metric, Verdict
from training.diagnosis.facts import GRADIENT
from training.runs.answers import Answers

FORMAT = 1
Kind = Literal["train", "import", "refresh", "search", "trial", "fold", "remedy"]
State = Literal["running", "done", "pruned", "failed", "interrupted"]
#: A figure by epoch; None where it was not measured or is not a number.
Curve = tuple[float | None, ...]


@dataclass(frozen=True)
class Fit:
    """One fit of a run ("training", "fine-tuning"). `curves` are by figure: loss, val_loss, accuracy, val_accuracy, learning_rate,
    and gradient_norm/LAYER where the diagnosis measured it.
    """

    what: str
    curves: dict[str, Curve]

    @property
    def epochs(self) -> int:
        return max((len(curve) for curve in self.curves.values()), default=0)

    @property
    def best(self) -> int | None:
        """The epoch (from 0) of the lowest validation loss, whose weights are kept."""
        losses = [(value, epoch) for epoch, value in enumerate(self.curves.get("val_loss", ())) if value is not None]
        return min(losses)[1] if losses else None

    @property
    def layers(self) -> list[str]:
        """Those with gradient norms, in the order of the network."""
        return [name.removeprefix(GRADIENT) for name in self.curves if name.startswith(GRADIENT)]


@dataclass(frozen=True)
class Environment:
    """Where a run ran."""

    git_commit: str | None
    packages: dict[str, str]
    python: str
    processor: str


@dataclass(frozen=True)
class Result:
    """What came of a run. `scores` and `answers` are by part of the data ("validation", "test"), scores then by metric ("accuracy").

    `confusion` counts the rows of the last part by [actual, predicted]; `version` is the published one; `facts` is whatever else is
    worth a line.
    """

    scores: dict[str, dict[str, Metric]] = field(default_factory=dict)
    answers: dict[str, Answers] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] | None = None
    classes: tuple[str, ...] = ()
    parameters: int | None = None
    version: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is tried: everything about a run that is known before it starts. `change` says in words how it differs from `parent`;
    `asked` is where its data was asked for.
    """

    kind: Kind
    name: str
    recipe_name: str
    recipe: dict[str, Any]
    reasons: dict[str, str]
    dataset: Dataset
    parent: int | None = None
    change: str = ""
    asked: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One run. Times are RFC 3339 in UTC; `seconds` is how long it took or has taken up to now; `error` is why it failed or was pruned."""

    format: int
    id: int
    plan: Plan
    environment: Environment
    state: State
    started: str
    ended: str | None
    seconds: float
    fits: tuple[Fit, ...]
    verdicts: tuple[Verdict, ...]
    result: Result
    error: str | None

    @property
    def seed(self) -> int | None:
        seed = self.plan.recipe.get("seed")
        return seed if isinstance(seed, int) else None

    def score(self, part: str, metric: str | None = None) -> tuple[str, Metric] | None:
        """A metric of a part of the data with its name; the first one if none is named."""
        scores = self.result.scores.get(part, {})
        chosen = metric or next(iter(scores), "")
        return (chosen, scores[chosen]) if chosen in scores else None
