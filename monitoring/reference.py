"""The reference: how each signal of one variant was distributed over held-back data, before anything was live.

Each variant has its own, because an int8 or pruned network answers with other confidences than the one it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ManifestError
from models.manifest import Input
from monitoring.arrays import Arrays, FloatArray, IntArray
from monitoring.binning import bin_counts, class_edges, quantile_edges
from monitoring.signals import Batch, measure


@dataclass(frozen=True)
class Profile:
    """One signal: inner `edges` of its bins and the `counts` (len(edges) + 1) of the reference rows in them."""

    edges: FloatArray
    counts: IntArray


@dataclass(frozen=True)
class Reference:
    """The profiles of all signals of one variant, over `rows` held-back rows."""

    rows: int
    profiles: dict[str, Profile]

    @classmethod
    def of(cls, batch: Batch, taken: Input) -> Reference:
        """Profile the answers of a variant to held-back rows that neither it nor its thresholds were fitted on."""
        profiles = {}
        for name, values in measure(batch, taken).items():
            edges = class_edges(batch.probabilities.shape[1]) if name == "class" else quantile_edges(values)
            profiles[name] = Profile(edges, bin_counts(values, edges))
        return cls(len(batch), profiles)

    def count(self, batch: Batch, taken: Input) -> IntArray:
        """The bin counts of a live batch, all signals in a row, in the order of `profiles`."""
        measured = measure(batch, taken)
        return np.concatenate([bin_counts(measured[name], profile.edges) for name, profile in self.profiles.items()])

    def split(self, counts: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The counts of each signal out of those in a row."""
        ends = np.cumsum([len(profile.counts) for profile in self.profiles.values()])
        return dict(zip(self.profiles, np.split(counts, ends[:-1], axis=-1), strict=True))


@dataclass(frozen=True)
class Samples:
    """Held-back rows kept beside the profile, to try the model with: `inputs` (n, …), `labels` (n,) class numbers."""

    inputs: NDArray[Any]
    labels: IntArray


def write_references(path: Path, references: dict[str, Reference], samples: Samples) -> None:
    """Write reference.npz: one part per variant, `<variant>/<signal>/edges|counts`, and the samples."""
    arrays: Arrays = {"samples/inputs": samples.inputs, "samples/labels": samples.labels}
    for variant, reference in references.items():
        arrays[f"{variant}/rows"] = np.array(reference.rows)
        arrays[f"{variant}/signals"] = np.array(list(reference.profiles))
        for name, profile in reference.profiles.items():
            arrays[f"{variant}/{name}/edges"] = profile.edges
            arrays[f"{variant}/{name}/counts"] = profile.counts
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read_reference(path: Path, variant: str) -> Reference:
    """The part of a variant. Raises ManifestError that names the file."""
    with np.load(path, allow_pickle=False) as file:
        if f"{variant}/rows" not in file:
            raise ManifestError(f"{path} has no part for the variant {variant!r}; publish the version again")
        names = [str(name) for name in file[f"{variant}/signals"]]
        profiles = {name: Profile(file[f"{variant}/{name}/edges"], file[f"{variant}/{name}/counts"]) for name in names}
        return Reference(int(file[f"{variant}/rows"]), profiles)


def read_samples(path: Path) -> Samples:
    """The held-back rows kept in reference.npz."""
    with np.load(path, allow_pickle=False) as file:
        return Samples(file["samples/inputs"], file["samples/labels"])
