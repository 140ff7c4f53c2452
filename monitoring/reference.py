"""The reference: how each signal of one variant was distributed over held-back data, before anything was live.

Each variant has its own, because an int8 or pruned network answers with other confidences than the one it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ManifestError
from models.manifest import Input
from monitoring.accuracy.calibration import Calibration
from monitoring.accuracy.conformal import Residuals
from monitoring.arrays import Arrays, FloatArray, IntArray
from monitoring.drift.mmd import Moments
from monitoring.signals.answered import CLASSES, VALUES
from monitoring.signals.binning import Bins, bin_counts, quantile_edges
from monitoring.signals.columns import Columns, is_column
from monitoring.signals.duplicates import Recent
from monitoring.signals.energy import Head
from monitoring.signals.explanations import Explanations
from monitoring.signals.faults import image_faults
from monitoring.signals.fourier import Fourier
from monitoring.signals.measure import Batch, Fitted, measure, quality
from monitoring.signals.outlier import Ranks
from monitoring.signals.space import Space

#: The parts of a reference that are written as they are: those of what is fitted, and its own.
_FITTED: dict[str, Any] = {"head": Head, "space": Space, "fourier": Fourier, "columns": Columns}
_OWN: dict[str, Any] = {
    "ranks": Ranks,
    "moments": Moments,
    "calibration": Calibration,
    "residuals": Residuals,
    "explanations": Explanations,
}

#: Reference rows that are tried out under each fault of a client, at most.
_FAULTY_ROWS = 2000
#: Asks the variant: inputs (n, …) → outputs and embeddings.
Ask = Callable[[NDArray[Any]], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Profile:
    """One signal: inner `edges` of its bins and the `counts` (len(edges) + 1) of the reference rows in them."""

    edges: FloatArray
    counts: IntArray


@dataclass(frozen=True)
class Reference:
    """The profiles of all signals of one variant, over `rows` held-back rows. Files of old versions have only these two.

    `quality`   how many of the rows failed each check that only counts
    `fitted`    what the signals need to know of the variant
    `ranks`     the distances of the rows, which say how unusual another one is
    `moments`   of the rows' Fourier features
    `calibration`  what turns confidences into estimates of accuracy; of values, `residuals` say how far off they are
    `explanations`  what the signals would be like after the commonest changes
    """

    rows: int
    profiles: dict[str, Profile]
    quality: dict[str, int] = field(default_factory=dict)
    fitted: Fitted = field(default_factory=Fitted)
    ranks: Ranks | None = None
    moments: Moments | None = None
    calibration: Calibration | None = None
    residuals: Residuals | None = None
    explanations: Explanations | None = None

    @classmethod
    def of(cls, batch: Batch, taken: Input, fitted: Fitted) -> Reference:
        """Profile the answers of a variant to held-back rows that neither it nor what is `fitted` knows."""
        batch = fitted.placed(batch)
        measured = measure(batch, taken, fitted)
        profiles = {}
        for name, values in measured.items():
            edges = _edges(name, values, batch, fitted)
            profiles[name] = Profile(edges, bin_counts(values, edges))
        ranks = Ranks.of(measured["distance"]) if fitted.space else None
        moments = Moments.of(fitted.fourier.waves(batch.places)) if fitted.fourier and batch.places is not None else None
        return cls(len(batch), profiles, quality(batch.inputs, taken, Recent().repeats(batch.inputs)), fitted, ranks, moments)

    def explained(self, batch: Batch, taken: Input, labels: NDArray[Any], ask: Ask) -> Reference:
        """With what the signals of the same rows would be under other shares of the classes, and under the faults of a client."""
        sent = image_faults(batch.inputs[:_FAULTY_ROWS], *taken.range) if taken.kind == "image" else {}
        faults = {fault: measure(Batch(rows, *ask(rows)), taken, self.fitted) for fault, rows in sent.items()}
        edges, classes = {name: profile.edges for name, profile in self.profiles.items()}, self.fitted.answered.classes(batch.outputs)
        return replace(self, explanations=Explanations.of(measure(batch, taken, self.fitted), edges, labels, faults, classes))

    def count(self, batch: Batch, taken: Input, repeated: NDArray[np.bool_] | None = None) -> dict[str, NDArray[Any]]:
        """What a live batch adds to the blocks of the counts. The signals are all in one row, in the order of `profiles`.

        `repeated` (n,) says which rows were here before: these are counted among all and once more by themselves.
        """
        with np.errstate(all="ignore"):  # values far out of the range end in the outermost bins, whatever they give here
            batch = self.fitted.placed(batch)
            measured = measure(batch, taken, self.fitted)
            waves = self.fitted.fourier.count(batch.places) if self.fitted.fourier and batch.places is not None else None
        places = self._bins.places([measured[name] for name in self.profiles])
        counts: dict[str, NDArray[Any]] = {"signals": self._bins.counts(places)}
        if repeated is not None and repeated.any():
            counts["repeated"] = self._bins.counts(places[:, repeated])
        if self.ranks:
            counts["outlier"] = self.ranks.count(measured["distance"])
        if waves is not None:
            counts["waves"] = waves
        if self.calibration:
            counts["estimates"] = self.calibration.count(batch.outputs)
        return counts

    def count_answers(self, outputs: FloatArray) -> IntArray:
        """What rows that are not watched add to the counts, (bins of the first signal,): only what was answered."""
        answered = self.fitted.answered
        return bin_counts(answered.values(outputs), self.profiles[answered.name].edges)

    @cached_property
    def _bins(self) -> Bins:
        return Bins([profile.edges for profile in self.profiles.values()])

    def outlier(self, batch: Batch) -> list[float] | None:
        """How unusual each row is, 0 to 1 (`monitoring.signals.outlier`); None if the variant has no distance."""
        if self.ranks is None:
            return None
        if len(batch) == 1:
            of_one = self.fitted.distance_of_one(batch)
            return None if of_one is None else [self.ranks.score_of_one(of_one)]
        with np.errstate(all="ignore"):
            distance = self.fitted.distance(batch)
        return None if distance is None else self.ranks.score(distance).tolist()

    def answers(self, counts: NDArray[Any]) -> NDArray[Any]:
        """Of the counts of all signals in a row, those of the first one: what was answered, exactly one bin for each row."""
        return counts[..., : len(next(iter(self.profiles.values())).counts)]

    def split(self, counts: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The counts of each signal out of those in a row."""
        ends = np.cumsum([len(profile.counts) for profile in self.profiles.values()])
        return dict(zip(self.profiles, np.split(counts, ends[:-1], axis=-1), strict=True))


@dataclass(frozen=True)
class Samples:
    """Held-back rows kept beside the profile, to try the model with: `inputs` (n, …), `labels` (n,) class numbers or values."""

    inputs: NDArray[Any]
    labels: NDArray[Any]


def _edges(name: str, values: FloatArray, batch: Batch, fitted: Fitted) -> FloatArray:
    if name == fitted.answered.name:
        return fitted.answered.edges(batch.outputs)
    return fitted.columns.edges(name, values) if fitted.columns and is_column(name) else quantile_edges(values)


def write_references(path: Path, references: dict[str, Reference], samples: Samples) -> None:
    """Write reference.npz, one part per variant, and the samples.

    `<variant>/<signal>/edges|counts`, `<variant>/quality/<check>`, and `<variant>/<part>/…` for each part that is there.
    """
    arrays: Arrays = {"samples/inputs": samples.inputs, "samples/labels": samples.labels}
    for variant, reference in references.items():
        arrays |= {f"{variant}/{name}": value for name, value in _to_arrays(reference).items()}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read_reference(path: Path, variant: str) -> Reference:
    """The part of a variant. Raises ManifestError that names the file."""
    prefix = f"{variant}/"
    with np.load(path, allow_pickle=False) as file:
        if f"{variant}/rows" not in file:
            raise ManifestError(f"{path} has no part for the variant {variant!r}; publish the version again")
        return _from_arrays({name.removeprefix(prefix): file[name] for name in file.files if name.startswith(prefix)})


def _parts(reference: Reference) -> dict[str, Any]:
    fitted = {name: getattr(reference.fitted, name) for name in _FITTED}
    return fitted | {name: getattr(reference, name) for name in _OWN}


def _to_arrays(reference: Reference) -> Arrays:
    arrays: Arrays = {"rows": np.array(reference.rows), "signals": np.array(list(reference.profiles))}
    for name, profile in reference.profiles.items():
        arrays |= {f"{name}/edges": profile.edges, f"{name}/counts": profile.counts}
    arrays |= {f"quality/{check}": np.array(rows) for check, rows in reference.quality.items()}
    for name, part in _parts(reference).items():
        if part:
            arrays |= {f"{name}/{key}": value for key, value in part.to_arrays().items()}
    return arrays


def _from_arrays(arrays: Arrays) -> Reference:
    def parts(kinds: dict[str, Any]) -> dict[str, Any]:
        return {name: kind.from_arrays(within) for name, kind in kinds.items() if (within := _within(name, arrays))}

    names = list(map(str, arrays["signals"]))
    return Reference(
        int(arrays["rows"]),
        {name: Profile(arrays[f"{name}/edges"], arrays[f"{name}/counts"]) for name in names},
        {check: int(rows) for check, rows in _within("quality", arrays).items()},
        Fitted(**parts(_FITTED), answered=VALUES if names[:1] == [VALUES.name] else CLASSES),
        **parts(_OWN),
    )


def _within(part: str, arrays: Arrays) -> Arrays:
    """The arrays of a part, by their names in it."""
    return {name.removeprefix(f"{part}/"): value for name, value in arrays.items() if name.startswith(f"{part}/")}


def read_samples(path: Path) -> Samples:
    """The held-back rows kept in reference.npz."""
    with np.load(path, allow_pickle=False) as file:
        return Samples(file["samples/inputs"], file["samples/labels"])
