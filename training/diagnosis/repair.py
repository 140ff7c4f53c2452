"""Remedies with proof: train, name what is wrong, apply the first remedy, and keep it only if a paired test says that it helped.

Each trial changes one thing of what was best so far and trains with the same seed, order and bounds. A remedy that is not proved better on
rows that it did not learn from (`training.diagnosis.exam`) is taken back, and the next one is tried. One that was kept may be taken again
as long as its finding lasts. When nothing is found any more, the other remedies of what was found are tried on top, and then what often
helps a network, since the first remedy that is proved seldom is all that can be had; so it is, too, where nothing was found, since whoever
asks has a reason. The test rows are asked once, when all is done. Beside it an arm of random remedies may have as many trials: an
independent study found random repair as good as most tools (Kim, Humbatova, Jahangirova, Tonella and Yoo, ICST 2023, arXiv 2301.11568), so
whoever claims to do better has to show it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray
from training.data.parts import Part, Problem, Split
from training.diagnosis.attempt import Diagnosed, diagnosed
from training.diagnosis.exam import Exam, compare
from training.diagnosis.finding import Finding
from training.diagnosis.measure.scores import score
from training.diagnosis.proof import Proof
from training.diagnosis.remedies import ALL_REMEDIES, OFTEN, REMEDIES, Remedy
from training.errors import RecipeError
from training.fitting.progress import Progress
from training.recipe import Recipe

ROUNDS = 6


@dataclass(frozen=True)
class Trial:
    """One training of the tree. `parent` is the number of the trial that it changes (None of the first), `change` what was done and
    `reason` which finding asked for it. `proof` holds it against its parent, and is None where there is nothing to compare.
    """

    number: int
    parent: int | None
    arm: str
    change: str
    reason: str
    kept: bool
    validation: float
    proof: Proof | None
    found: tuple[str, ...]
    recipe: Recipe

    def __str__(self) -> str:
        what = f"{self.change} ({self.reason})" if self.reason else self.change
        fate = "" if self.parent is None else f"; {self.proof}, {'kept' if self.kept else 'taken back'}" if self.proof else "; kept"
        return f"{self.number}. {what}: validation {self.validation:.4f}{fate}"


Note = Callable[[Trial, FloatArray | None, Part], None]


@dataclass(frozen=True)
class Repair:
    """What was tried and what came of it. Scores and proof are on the test rows, of the first network against the last one kept."""

    recipe: Recipe
    findings: tuple[Finding, ...]
    trials: tuple[Trial, ...]
    test_before: float
    test_after: float
    proof: Proof
    changes: tuple[Trial, ...]


@dataclass(frozen=True)
class _State:
    """What is best so far."""

    trial: Trial
    made: Diagnosed
    exam: Exam
    answers: FloatArray

    @property
    def split(self) -> Split:
        return self.exam.split


class Repairer:
    """Trains and compares for one problem. `note` hears of each trial as it is done, of its answers (None if it has none) and of the
    rows that they are to.
    """

    def __init__(self, problem: Problem, progress: Progress, note: Note = lambda trial, answers, part: None, rounds: int = ROUNDS) -> None:
        self._problem, self._progress, self._note, self._rounds = problem, progress, note, rounds
        self.trials: list[Trial] = []

    def repair(self, recipe: Recipe, split: Split) -> Repair:
        """Apply what the findings ask for, the first first."""
        return self._walk(recipe, split, "remedy", _asked_for)

    def repair_at_random(self, recipe: Recipe, split: Split, seed: int) -> Repair:
        """Apply any remedies, whatever is found."""
        rng = np.random.default_rng(seed)
        order = [ALL_REMEDIES[i] for i in rng.permutation(len(ALL_REMEDIES))]
        return self._walk(recipe, split, "random", lambda found: ((remedy, "") for remedy in order))

    def _walk(self, recipe: Recipe, split: Split, arm: str, remedies: Callable[[Iterable[str]], Iterator[tuple[Remedy, str]]]) -> Repair:
        first = best = self._start(recipe, split)
        spent: set[str] = set()
        for _ in range(self._rounds):
            found = (kind for trial in self._lineage(best) for kind in trial.found)
            chosen = self._next(best, remedies(found), spent)
            if chosen is None:
                break
            before, best = best, self._try(best, *chosen, arm)
            if best is before or best.split is not before.split:
                spent.add(chosen[0].change)
        return self._told(first, best)

    def _lineage(self, best: _State) -> list[Trial]:
        """What led to the best, the last one first."""
        lineage = [best.trial]
        while lineage[-1].parent is not None:
            lineage.append(self.trials[lineage[-1].parent])
        return lineage

    def _start(self, recipe: Recipe, split: Split) -> _State:
        made = diagnosed(recipe, self._problem, split, self._progress, "as it is", aloud=False)
        trial = Trial(0, None, "start", "as it is", "", True, 0.0, None, _kinds(made), recipe)
        return self._state(trial, made, Exam(self._problem, split, recipe.seed))

    def _next(self, best: _State, remedies: Iterator[tuple[Remedy, str]], spent: set[str]) -> tuple[Remedy, str] | None:
        """The first remedy that was not taken back and changes something."""
        for remedy, reason in remedies:
            changes = remedy.resplit is not None or remedy.recipe(best.trial.recipe) != best.trial.recipe
            if changes and remedy.change not in spent and not remedy.vain(best.made.facts):
                return remedy, reason
        return None

    def _try(self, best: _State, remedy: Remedy, reason: str, arm: str) -> _State:
        """Train with the remedy. Whichever is better is what the next one changes."""
        recipe, split = remedy.recipe(best.trial.recipe), best.split
        if remedy.resplit is not None:
            split = remedy.resplit(split, recipe.seed)
        trial = Trial(len(self.trials), best.trial.number, arm, remedy.change, reason, False, 0.0, None, (), recipe)
        try:
            made = diagnosed(recipe, self._problem, split, self._progress, remedy.change, aloud=False)
        except RecipeError:  # a remedy may ask for what this network cannot have: augmentation of a table, say
            self._keep(trial, None, split.validation)
            return best
        trial = dataclasses.replace(trial, found=_kinds(made))
        if split is not best.split:  # other rows judge it, and they are what was wanted
            return self._state(dataclasses.replace(trial, kept=True), made, Exam(self._problem, split, recipe.seed))
        tried = self._state(trial, made, best.exam, best)
        return tried if tried.trial.kept else best

    def _state(self, trial: Trial, made: Diagnosed, exam: Exam, against: _State | None = None) -> _State:
        """A trial with its answers and what they are worth; kept if they are proved better than those of another."""
        answers = exam.answers(trial.recipe, made.attempt, self._progress.unheard(), trial.change)
        if against:
            proof = exam.compare(against.answers, answers)
            trial = dataclasses.replace(trial, kept=proof.better, proof=proof)
        validation = exam.split.validation
        own = answers[: len(validation)]
        trial = dataclasses.replace(trial, validation=self._score(own, validation))
        return _State(self._keep(trial, own if np.isfinite(own).all() else None, validation), made, exam, answers)

    def _keep(self, trial: Trial, answers: FloatArray | None, part: Part) -> Trial:
        self.trials.append(trial)
        self._note(trial, answers, part)
        return trial

    def _score(self, answers: FloatArray, part: Part) -> float:
        return score(answers, part.y, self._problem) if np.isfinite(answers).all() else 0.0

    def _told(self, first: _State, best: _State) -> Repair:
        test = best.split.test
        before, after = (best.exam.given(state.made.attempt, test) for state in (first, best))
        scores = [self._score(answers, test) for answers in (before, after)]
        proof = compare(self._problem, before, after, test.y)
        changes = tuple(reversed(self._lineage(best)[:-1]))
        return Repair(best.trial.recipe, best.made.findings, tuple(self.trials), scores[0], scores[1], proof, changes)


def _asked_for(found: Iterable[str]) -> Iterator[tuple[Remedy, str]]:
    """The remedies of what is found, the first first; of what was found before; and what often helps."""
    yield from ((remedy, kind) for kind in dict.fromkeys(found) for remedy in REMEDIES[kind])
    yield from ((remedy, "") for remedy in OFTEN)


def _kinds(made: Diagnosed) -> tuple[str, ...]:
    return tuple(finding.kind for finding in made.ill)
