"""The manifest of a training: what was made, how good and how fast it is, and how it came to be."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from models.manifest import FORMAT, Manifest, Training, Variant, digest
from training.compression.gate import choose_default, reason_against, reason_if_whole
from training.compression.latency import measure_latency
from training.data.parts import DataSet, Problem, Split
from training.diagnosis.finding import Finding
from training.publishing.evaluate import Score, ValueScore
from training.publishing.origin import git_commit, package_versions
from training.recipe import Source

_Name = Literal["fp32", "int8", "pruned", "pruned-int8"]


def judge(
    paths: Mapping[str, Path], scores: Mapping[str, Score | ValueScore], parameters: Mapping[str, int], split: Split
) -> tuple[Variant, ...]:
    """The variants with their cost and how good they are, and whether each passes the gate."""
    latencies = measure_latency(paths, split.test.x)
    reference = scores["fp32"].metrics, latencies["fp32"]
    variants = []
    for name, path in paths.items():
        file, metrics, latency = digest(path), scores[name].metrics, latencies[name]
        against = None if name == "fp32" else reason_against(metrics, latency, *reference)
        reason = reason_if_whole(name, parameters) or against
        variants.append(
            Variant(
                cast(_Name, name),
                path.name,
                file.sha256,
                file.bytes,
                parameters[name],
                metrics,
                latency,
                reason is None,
                reason,
            )
        )
    return tuple(variants)


def describe(
    name: str,
    problem: Problem,
    dataset: DataSet,
    split: Split,
    variants: tuple[Variant, ...],
    source: Source,
    parent: int | None,
    findings: Sequence[Finding] = (),
) -> Manifest:
    """The manifest, but for the number of the version and the files beside the variants, which are known last."""
    training = Training(
        recipe={"name": source.name} | source.recipe.to_dict(),
        seed=source.recipe.seed,
        dataset=dataset.described(split),
        git_commit=git_commit(),
        packages=package_versions(),
        parent_version=parent,
        verdicts=tuple(finding.verdict() for finding in findings),
    )
    created = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    default = choose_default(variants)
    return Manifest(FORMAT, name, 0, created, problem.task, problem.input, problem.classes, variants, default, {}, training)
