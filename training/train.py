"""Train a network, shrink it, and publish it: the page to read first.

Everything is written to a folder outside the store and comes into it in one step at the end, so that a training that is killed
leaves nothing there.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Collection
from pathlib import Path

from models.manifest import Manifest, digest
from models.store import Published, Store
from training.compression.variants import shrink, write_variants
from training.data.parts import DataSet, Problem, Split
from training.diagnosis.attempt import diagnosed
from training.diagnosis.finding import Finding
from training.errors import DivergedError
from training.fitting.attempt import Attempt
from training.fitting.find import found
from training.fitting.fit import targets_of
from training.fitting.progress import Progress
from training.networks.base import with_base
from training.networks.servable import check_servable
from training.publishing.calibrate import calibrate
from training.publishing.card import Card, write_card
from training.publishing.describe import describe, judge
from training.publishing.evaluate import evaluate
from training.publishing.fitted import fit_signals
from training.publishing.keras_files import write_keras_files
from training.publishing.profile import write_profile
from training.recipe import Recipe, Source

_FILES = ("model.json", "model.h5", "reference.npz", "card.html")


def train(
    source: Source, dataset: DataSet, name: str, store: Store, progress: Progress, find: Collection[str] = (), devices: int = 0
) -> Published:
    """Train the recipe on a data set and publish the result as the next version of `name`. Raises VeletaError.

    `find` names values of the recipe that are measured first (see training.fitting.find); `devices`: how many share the work.
    """
    check_servable(source.recipe)

    # Data
    split = dataset.split(source.recipe.seed, source.recipe.max_rows)
    classes = len(dataset.classes)
    progress.say(f"{dataset.name}: " + ", ".join(f"{rows:,} {part}" for part, rows in split.rows().items()) + " rows")

    # What the data can tell of the recipe
    source = found(source, find, with_base(source.recipe, store), dataset.problem, split, progress)
    recipe = with_base(source.recipe, store)

    # Network, fit and diagnosis
    attempted, findings = train_and_diagnose(recipe, dataset.problem, split, progress, devices)
    network, history = attempted.network, attempted.history

    # Compress
    pruned, tuning = shrink(network, recipe, dataset.problem, split, targets_of(split.train.y, classes), progress)

    with tempfile.TemporaryDirectory(prefix="veleta-train-") as folder:
        work = Path(folder)

        # Export
        paths = write_variants(work, network, pruned, recipe, split, progress)
        write_keras_files(network, work)

        # Evaluate
        progress.say(f"evaluating on {len(split.test):,} test rows")
        scores = {variant: evaluate(path, split.test, classes) for variant, path in paths.items()}
        parameters = {variant: (pruned if "pruned" in variant else network).count_params() for variant in paths}
        variants = judge(paths, scores, parameters, split)

        # Fit what the signals need
        fitted = {
            variant: fit_signals(path, pruned if "pruned" in variant else network, split.train, classes, recipe.seed)
            for variant, path in paths.items()
        }

        # Calibrate
        calibrations = {variant: calibrate(path, split.validation, scores[variant]) for variant, path in paths.items()}

        # Profile
        write_profile(work / "reference.npz", paths, split.test, scores, fitted, calibrations, dataset.problem.input, recipe.seed)

        # Publish
        described = describe(name, dataset.problem, dataset, split, variants, source, store.live(name), findings)

        def manifest(version: int) -> Manifest:
            numbered = dataclasses.replace(described, version=version)
            write_card(work / "card.html", Card(numbered, source, dataset, history, tuning, scores))
            return dataclasses.replace(numbered, files={file: digest(work / file) for file in _FILES})

        return store.publish(name, work, manifest)


def train_and_diagnose(
    recipe: Recipe, problem: Problem, split: Split, progress: Progress, devices: int
) -> tuple[Attempt, tuple[Finding, ...]]:
    """The fitted network, and what is wrong with it. Raises DivergedError that says why the loss is no number."""
    made = diagnosed(recipe, problem, split, progress, devices=devices)
    for finding in made.ill:
        progress.say(str(finding))
    if made.attempt is None:
        why = next((finding for finding in made.findings if finding.severity == "error"), next(iter(made.findings), None))
        raise DivergedError(f"the training diverged: {why.evidence} {why.remedy}" if why else "the training diverged; lower learning_rate")
    return made.attempt, made.findings
