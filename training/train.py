"""Train a network, shrink it, and publish it: the page to read first.

Everything is written to a folder outside the store and comes into it in one step at the end, so that a training that is killed
leaves nothing there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.store import Published, Store
from training.compression.variants import shrink, write_variants
from training.data.parts import DataSet, Divided, Problem, Split
from training.data.told import sentences
from training.diagnosis.attempt import diagnosed
from training.diagnosis.finding import Finding
from training.errors import DivergedError
from training.fitting.attempt import Attempt
from training.fitting.find import found
from training.fitting.fit import targets_of
from training.fitting.folds import CrossValidation, cross_validate
from training.fitting.progress import Progress
from training.networks.base import with_base
from training.networks.servable import check_servable
from training.publishing.card import Story
from training.publishing.evaluate import evaluate
from training.publishing.keras_files import write_keras_files
from training.publishing.publish import Made, publish
from training.recipe import Recipe, Source
from training.runs.folds import FoldRuns
from training.runs.outcome import published_result
from training.runs.record import Record
from training.runs.run import Kind, Plan
from training.runs.running import Running


@dataclass(frozen=True)
class Trained:
    """What came of a training: the published version and, if it was asked for, the cross-validation of its recipe."""

    published: Published
    folds: CrossValidation | None


@dataclass(frozen=True)
class Purpose:
    """What a training is for: what the record calls it, what it changes, in words, and what is done with the version; that gives what else
    is worth a line of the record.
    """

    kind: Kind = "train"
    change: str = ""
    then: Callable[[Published], Mapping[str, Any]] = lambda _: {}


def train(
    source: Source,
    dataset: DataSet,
    name: str,
    store: Store,
    progress: Progress,
    find: Collection[str] = (),
    folds: int = 0,
    devices: int = 0,
    purpose: Purpose = Purpose(),
) -> Trained:
    """Train the recipe on a data set and publish the result as the next version of `name`; the record tells of it, whatever comes of it.

    `find` names values of the recipe that are measured first (see training.fitting.find); `folds` of a cross-validation that comes
    before the training, 0 for none; `devices`: how many share the work. Raises VeletaError.
    """
    check_servable(source.recipe)

    # Data
    split = dataset.split(source.recipe.seed, source.recipe.max_rows)
    for sentence in sentences(dataset, split):
        progress.say(sentence)

    # What the data can tell of the recipe
    source = found(source, find, with_base(source.recipe, store), split.problem, split, progress)
    recipe = with_base(source.recipe, store)
    record, data = Record.of(store.root), dataset.described(split)
    recorded = source.recipe.to_dict(), source.reasons
    plan = Plan(purpose.kind, name, source.name, *recorded, data, change=purpose.change, asked=dataset.asked)
    with record.start(plan) as run:
        # How much of a score is luck
        validated = cross_validate(recipe, dataset, folds, progress, FoldRuns(record, plan, run.id)) if folds else None

        published = _train(source, recipe, dataset, split, name, store, progress.heard_by(run), run, validated, devices, purpose)
    progress.say(f"recorded as run {run.id}")
    return Trained(published, validated)


def _train(
    source: Source,
    recipe: Recipe,
    dataset: DataSet,
    split: Divided,
    name: str,
    store: Store,
    progress: Progress,
    run: Running,
    validated: CrossValidation | None,
    devices: int,
    purpose: Purpose,
) -> Published:
    """From the network to the shelf; `run` is told of it."""
    problem = split.problem

    # Network, fit and diagnosis
    attempted, findings = train_and_diagnose(recipe, problem, split, progress, devices)
    run.verdicts(finding.verdict() for finding in findings)
    network, history = attempted.network, attempted.history

    # Compress
    pruned, tuning = shrink(network, recipe, problem, split, targets_of(split.train.y, len(problem.classes)), progress)

    with tempfile.TemporaryDirectory(prefix="veleta-train-") as folder:
        work = Path(folder)

        # Export
        networks = {"fp32": network, "int8": network, "pruned": pruned, "pruned-int8": pruned}
        made = Made.of(write_variants(work, networks, recipe, split, progress), networks)
        write_keras_files(network, work)

        # Evaluate, calibrate, profile and publish
        story = Story(history, tuning, validated)
        published, scores = publish(made, work, name, store, source, dataset, split, story, findings, progress)
        validation = evaluate(made.paths["fp32"], split.validation, len(problem.classes))
        facts = {"cross_validation": str(validated)} if validated else {}
        run.finish(published_result(published.manifest, "fp32", validation, scores["fp32"], split, **facts, **purpose.then(published)))
        return published


def train_and_diagnose(
    recipe: Recipe, problem: Problem, split: Split, progress: Progress, devices: int
) -> tuple[Attempt, tuple[Finding, ...]]:
    """The fitted network, and what is wrong with it. Raises DivergedError that says why the loss is no number."""
    made = diagnosed(recipe, problem, split, progress, devices=devices)
    for text in map(str, made.ill):
        if text not in made.said:
            progress.say(text)
    if made.attempt is None:
        why = next((finding for finding in made.findings if finding.severity == "error"), next(iter(made.findings), None))
        raise DivergedError(f"the training diverged: {why.evidence} {why.remedy}" if why else "the training diverged; lower learning_rate")
    return made.attempt, made.findings
