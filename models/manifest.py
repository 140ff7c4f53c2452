"""The manifest: everything a server has to know of one published version, as data.

Written by training, read by everything else. Reading is strict: an unknown or missing field is an error that names the file,
because a field that is silently ignored is a promise that is silently broken.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from models.errors import ManifestError
from models.parsing import MisfitError, parse

FORMAT = 1
VARIANTS = {
    "fp32": "model.onnx",
    "int8": "model.int8.onnx",
    "pruned": "model.pruned.onnx",
    "pruned-int8": "model.pruned.int8.onnx",
}
#: Task → the metrics by which its variants are shown; the first is the one that is watched.
METRICS = {"classification": ("accuracy",), "regression": ("mae", "rmse")}
T = TypeVar("T")


@dataclass(frozen=True)
class Input:
    """What the model takes. `shape` has None for the batch; `range` is [lowest, highest] of a value at the door (images: 0 to 255)."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    kind: Literal["image", "tensor", "tabular", "sequence"]
    range: tuple[float, float]

    @cached_property
    def row_shape(self) -> tuple[int, ...]:
        """Of a row, without the batch; 0 where any size goes."""
        return tuple(size or 0 for size in self.shape[1:])


@dataclass(frozen=True)
class Metric:
    """A metric on the held-back test rows with its 95 % interval."""

    value: float
    lower: float
    upper: float
    rows: int


@dataclass(frozen=True)
class Latency:
    """Median seconds of one call, by batch size ("1", "32"), with one thread on the processor named."""

    batch: dict[str, float]
    cpu: str


@dataclass(frozen=True)
class File:
    """A file beside the manifest."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Variant:
    """One ONNX file of the version: its cost, its accuracy, and whether it may be served by default (if not, the reason)."""

    name: Literal["fp32", "int8", "pruned", "pruned-int8"]
    file: str
    sha256: str
    bytes: int
    parameters: int
    metrics: dict[str, Metric]
    latency_seconds: Latency
    published: bool
    reason: str | None


@dataclass(frozen=True)
class Verdict:
    """What training found wrong, where, on what evidence, and what to do."""

    kind: str
    severity: Literal["info", "warning", "error"]
    where: str
    evidence: str
    remedy: str


@dataclass(frozen=True)
class Dataset:
    """The data trained on; `sha256` over the bytes of all arrays, `original_sha256` over those without what production labelled, if any."""

    name: str
    sha256: str
    rows: dict[str, int]
    original_sha256: str | None = None


@dataclass(frozen=True)
class Training:
    """How the version came to be."""

    recipe: dict[str, Any]
    seed: int
    dataset: Dataset
    git_commit: str | None
    packages: dict[str, str]
    parent_version: int | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Manifest:
    """One published version. `files` are those that are not variants: model.json, model.h5, reference.npz, card.html."""

    format: int
    name: str
    version: int
    created: str
    task: Literal["classification", "regression"]
    input: Input
    classes: tuple[str, ...]
    variants: tuple[Variant, ...]
    default_variant: str
    files: dict[str, File]
    training: Training

    def variant(self, name: str | None = None) -> Variant:
        """The variant of that name, or the default one. Raises ManifestError with the names there are."""
        wanted = name or self.default_variant
        for variant in self.variants:
            if variant.name == wanted:
                return variant
        raise ManifestError(f"{self.name}/{self.version} has no variant {wanted!r}; it has {', '.join(v.name for v in self.variants)}")

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read and check a manifest file. Raises ManifestError that names the file and the field."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ManifestError(f"{path} cannot be read: {error.strerror}; publish the version again") from error
        except ValueError as error:
            raise ManifestError(f"{path} is not JSON ({error}); publish the version again") from error
        if isinstance(data, dict) and data.get("format") != FORMAT:
            raise ManifestError(f"{path}: format is {data.get('format')!r}, this Veleta reads {FORMAT}; install the Veleta that wrote it")
        try:
            manifest: Manifest = parse(cls, data, "manifest")
        except MisfitError as error:
            raise ManifestError(f"{path}: {error}") from error
        if problem := manifest._problem():
            raise ManifestError(f"{path}: {problem}; publish the version again")
        return manifest

    def _problem(self) -> str | None:
        """What does not fit together, and could not be served as it is."""
        variants = {variant.name: variant for variant in self.variants}
        if self.default_variant not in variants:
            return f"default_variant is {self.default_variant!r}, and there is {', '.join(variants) or 'none'}"
        if not variants[self.default_variant].published:
            return f"default_variant is {self.default_variant!r}, which is not published: {variants[self.default_variant].reason}"
        if self.task == "classification" and (len(self.classes) < 2 or len(set(self.classes)) < len(self.classes)):
            return f"classes are {', '.join(map(repr, self.classes)) or 'none'}, expected two or more that differ"
        for file in (*self.files, *(variant.file for variant in self.variants)):
            if file != Path(file).name:
                return f"the file {file!r} lies elsewhere, expected one beside the manifest"
        return None


def digest(path: Path) -> File:
    """Hash and size of a file."""
    with path.open("rb") as file:
        return File(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def check_file(path: Path, sha256: str) -> None:
    """Raise ManifestError if the file is missing or is not the one the manifest speaks of."""
    try:
        found = digest(path).sha256
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}; publish the version again") from error
    if found != sha256:
        raise ManifestError(
            f"{path} has sha256 {found[:12]}…, its manifest says {sha256[:12]}…; the file was altered, publish the version again"
        )
