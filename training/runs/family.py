"""The family tree of runs: what was tried after what. Remedies, trials and folds know the run that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.runs.changes import difference
from training.runs.difference import Difference
from training.runs.run import Run

#: Children that are shown; a search may have hundreds.
_SHOWN = 24


@dataclass(frozen=True)
class Relative:
    """A run in its family. `against` is its validation accuracy against that of its parent; `hidden` counts children left out."""

    run: Run
    against: Difference | None
    children: tuple[Relative, ...]
    hidden: int


def families(chosen: Sequence[Run], everything: Sequence[Run]) -> list[Relative]:
    """The families with at least one of the chosen runs, each from its first ancestor; a run without relatives is none."""
    known = {run.id: run for run in everything}
    roots = dict.fromkeys(_root(run, known) for run in chosen)
    found = [_relative(known[root], None, everything) for root in roots]
    return [relative for relative in found if relative.children]


def _root(run: Run, known: dict[int, Run]) -> int:
    while run.plan.parent in known and run.plan.parent < run.id:
        run = known[run.plan.parent]
    return run.id


def _relative(run: Run, parent: Run | None, everything: Sequence[Run]) -> Relative:
    against = difference(parent, run, "validation") if parent else None
    children = sorted((other for other in everything if other.plan.parent == run.id < other.id), key=_rank)
    kept = children[:_SHOWN]
    if len(children) > _SHOWN:
        parents = {other.plan.parent for other in everything}
        kept += [child for child in children[_SHOWN:] if child.id in parents]
    return Relative(run, against, tuple(_relative(child, run, everything) for child in kept), len(children) - len(kept))


def _rank(run: Run) -> tuple[float, int]:
    """Trials by their score, the best first; what was tried one after the other in its order."""
    score = run.score("validation")
    return (-score[1].value if score and run.plan.kind == "trial" else 0.0, run.id)
