"""Train a version again on its original data and what production labelled since, and put the outcome under trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.store import Published, Store
from monitoring.counts.examples import Example
from training.data.grown import Grown
from training.fitting.progress import Progress
from training.refreshing.again import Again
from training.refreshing.labelled import labelled
from training.refreshing.trial import Trial, compare
from training.train import Purpose, train


@dataclass(frozen=True)
class Refreshed:
    """The candidate, the labelled inputs that there were, and how it does against the live version."""

    candidate: Published
    labelled: int
    trials: tuple[Trial, ...]


def refresh(again: Again, examples: Sequence[Example], store: Store, progress: Progress, devices: int = 0) -> Refreshed:
    """Train, publish, put under trial and compare. Raises VeletaError."""
    live, recipe = again.live, again.source.recipe
    found = labelled(examples, store, again.dataset)
    grown = Grown.of(again.dataset, found.part, found.source, found.left_out)
    progress.say(f"beside {again.dataset.name} there are {found.source}")
    trials: list[Trial] = []

    def then(candidate: Published) -> Mapping[str, Any]:
        store.propose(candidate.manifest.name, candidate.manifest.version)
        parts = {
            "original": again.dataset.parted(recipe.seed, recipe.max_rows)[0].test,
            "production": grown.added(recipe.seed, recipe.max_rows).test,
        }
        trials.extend(compare(what, live, candidate, part, grown) for what, part in parts.items() if len(part))
        return {f"trial_{trial.what}": str(trial) for trial in trials}

    change = f"{live.manifest.name}/{live.manifest.version} with {len(found.part):,} labelled inputs"
    purpose = Purpose("refresh", change, then)
    trained = train(again.source, grown, live.manifest.name, store, progress, devices=devices, purpose=purpose)
    return Refreshed(trained.published, len(found.part), tuple(trials))
