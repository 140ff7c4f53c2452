"""From the ONNX files of a network to a version on the shelf: scored, calibrated, profiled and described."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.manifest import Manifest, digest
from models.store import Published, Store
from monitoring.signals.energy import Head
from training import interruption
from training.data.parts import DataSet, Divided
from training.diagnosis.finding import Finding
from training.fitting.progress import Progress
from training.publishing.calibrate import calibrate
from training.publishing.card import Card, Story, write_card
from training.publishing.describe import describe, judge
from training.publishing.evaluate import Score, ValueScore, evaluate
from training.publishing.fitted import fit_signals, head_of
from training.publishing.profile import write_profile
from training.recipe import Source

#: Beside the variants, those of them that there are: what came as ONNX has no Keras files.
_FILES = ("model.json", "model.h5", "reference.npz", "card.html")


@dataclass(frozen=True)
class Made:
    """What is to be published, by variant: the ONNX file, the parameters, and the last layer if its softmax is what is answered."""

    paths: Mapping[str, Path]
    parameters: Mapping[str, int]
    heads: Mapping[str, Head | None]

    @classmethod
    def of(cls, paths: Mapping[str, Path], networks: Mapping[str, Any]) -> Made:
        """Of the Keras network that each file was made of."""
        return cls(
            paths,
            {variant: network.count_params() for variant, network in networks.items()},
            {variant: head_of(network) for variant, network in networks.items()},
        )


def publish(
    made: Made,
    work: Path,
    name: str,
    store: Store,
    source: Source,
    dataset: DataSet,
    split: Divided,
    story: Story,
    findings: Sequence[Finding],
    progress: Progress,
) -> tuple[Published, dict[str, Score | ValueScore]]:
    """The next version of `name`, and the scores of each variant on the test rows.

    `work` is a folder outside the store, with the variants and, of a Keras network, model.json and model.h5; it comes into the store in
    one step, so that whoever is killed before leaves nothing there.
    """
    problem, classes, recipe = split.problem, len(split.problem.classes), source.recipe

    # Evaluate
    progress.say(f"evaluating on {len(split.test):,} test rows")
    scores = {variant: evaluate(path, split.test, classes) for variant, path in made.paths.items()}
    variants = judge(made.paths, scores, made.parameters, split)

    # Fit what the signals need
    arguments = split.train, classes, recipe.seed, split.columns
    fitted = {variant: fit_signals(path, made.heads[variant], *arguments) for variant, path in made.paths.items()}

    # Calibrate
    calibrations = {variant: calibrate(path, split.validation, scores[variant]) for variant, path in made.paths.items()}

    # Profile
    write_profile(work / "reference.npz", made.paths, split.test, scores, fitted, calibrations, problem.input, recipe.seed)

    # Publish
    described = describe(name, problem, dataset, split, variants, source, store.live(name), findings)

    def manifest(version: int) -> Manifest:
        numbered = dataclasses.replace(described, version=version)
        write_card(work / "card.html", Card(numbered, source, dataset, scores, story))
        return dataclasses.replace(numbered, files={file: digest(work / file) for file in _FILES if (work / file).exists()})

    interruption.last_chance()
    return store.publish(name, work, manifest), scores
