"""An attempt that is looked at: what is surely wrong is said while it learns, everything at the end."""

from __future__ import annotations

from dataclasses import dataclass

from training.data.parts import Problem, Split
from training.diagnosis.diagnose import diagnose
from training.diagnosis.facts import Facts
from training.diagnosis.finding import Finding
from training.diagnosis.watch import FactsWatch
from training.errors import DivergedError
from training.fitting.attempt import Attempt, attempt
from training.fitting.progress import Progress
from training.recipe import Recipe


@dataclass(frozen=True)
class Diagnosed:
    """`attempt` is None where the loss was no number any more; `said` are the findings that were said while it learnt, as texts."""

    attempt: Attempt | None
    facts: Facts
    findings: tuple[Finding, ...]
    said: frozenset[str] = frozenset()

    @property
    def ill(self) -> tuple[Finding, ...]:
        """What is wrong, rather than worth knowing, the likeliest cause first."""
        return tuple(finding for finding in self.findings if finding.ill)


class _Aloud:
    """Says each error once, as soon as it is sure."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._said: dict[str, str] = {}  # by kind

    def __call__(self, facts: Facts) -> None:
        for finding in diagnose(facts):
            if finding.severity == "error" and finding.kind not in self._said:
                self._said[finding.kind] = str(finding)
                self._progress.say(str(finding))

    @property
    def said(self) -> frozenset[str]:
        return frozenset(self._said.values())


def diagnosed(
    recipe: Recipe, problem: Problem, split: Split, progress: Progress, what: str = "training", devices: int = 0, aloud: bool = True
) -> Diagnosed:
    """Build and fit the network of a recipe, and say what is wrong with it. Raises RecipeError for one that cannot be built."""
    saying = _Aloud(progress)
    watch = FactsWatch(recipe, saying) if aloud else FactsWatch(recipe)
    try:
        made: Attempt | None = attempt(recipe, problem, split, progress, what, watch, devices)
    except DivergedError:
        made = None
    assert watch.facts is not None
    return Diagnosed(made, watch.facts, diagnose(watch.facts), saying.said)
