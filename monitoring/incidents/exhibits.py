"""Exhibits: of the captured inputs those that speak most for a change, made fit to be shown."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.manifest import Input
from monitoring.arrays import FloatArray, IntArray
from monitoring.counts.capture import Captured
from monitoring.incidents.case import Case
from monitoring.incidents.incident import Exhibit
from monitoring.reference import Reference
from monitoring.signals.measure import Batch, measure

#: How many are shown, the pixels of an image's longer side, and the values of anything else.
_MOST, _PIXELS, _VALUES = 24, 96, 64
#: Signals that are named with an exhibit.
_NAMED = 2


def exhibits(found: list[Captured], since: float, case: Case, taken: Input) -> tuple[Exhibit, ...]:
    """The captured rows from after `since` that speak most for the change, the strongest first."""
    candidates = [one for rows in found for one in _weighed(rows, since, case, taken)]
    return tuple(sorted(candidates, key=lambda exhibit: -exhibit.speaks_for)[:_MOST])


def _weighed(found: Captured, since: float, case: Case, taken: Input) -> list[Exhibit]:
    after = found.at >= since
    batch, at = Batch(found.batch.inputs[after], found.batch.outputs[after], found.batch.embeddings[after]), found.at[after]
    names = sorted(case.alarmed & case.reference.profiles.keys()) or sorted(case.reference.profiles)
    if not len(batch):
        return []
    ratios = _log_ratios(case, names, places(case.reference, batch, taken))
    strongest = np.argsort(-ratios.sum(axis=1), kind="stable")[:_MOST]
    return [
        _exhibit(batch, row, float(at[row]), dict(zip(names, ratios[row].tolist(), strict=True)), case.classes, taken) for row in strongest
    ]


def places(reference: Reference, batch: Batch, taken: Input) -> dict[str, IntArray]:
    """The bin that each row (n,) falls into, by signal."""
    measured = measure(batch, taken, reference.fitted)
    return {name: np.searchsorted(profile.edges, measured[name], side="right") for name, profile in reference.profiles.items()}


def _log_ratios(case: Case, names: list[str], found: dict[str, IntArray]) -> FloatArray:
    """ln(share since / share before) of the bin of each row and signal, (n, signals)."""
    live, normal = case.reference.split(case.live), case.reference.split(case.normal)
    columns = [(_log_shares(live[name]) - _log_shares(normal[name]))[found[name]] for name in names]
    return np.stack(columns, axis=1)


def _log_shares(counts: FloatArray) -> FloatArray:
    shares: FloatArray = np.log((counts + 0.5) / (counts.sum() + len(counts) / 2))
    return shares


def _exhibit(batch: Batch, row: int, at: float, ratios: dict[str, float], classes: tuple[str, ...], taken: Input) -> Exhibit:
    named = sorted((name for name, ratio in ratios.items() if ratio > 0), key=lambda name: -ratios[name])[:_NAMED]
    picture = taken.kind == "image"
    values = () if picture else tuple(np.nan_to_num(batch.inputs[row].ravel()[:_VALUES]).astype(float).tolist())
    image = _thumbnail(batch.inputs[row], taken) if picture else None
    label, confidence = _answer(batch.outputs[row], classes)
    return Exhibit(at, label, confidence, sum(ratios.values()), tuple(named), image, values)


def _answer(output: FloatArray, classes: tuple[str, ...]) -> tuple[str, float | None]:
    """What was answered, in words, and how surely."""
    if not classes:
        return f"{output[0]:.4g}", None
    answered = int(output.argmax())
    return classes[answered], float(np.nan_to_num(output[answered]))


def _thumbnail(pixels: NDArray[np.floating], taken: Input) -> str:
    """A small PNG as a data URL. `pixels` (height, width, channels); other than one or three channels are shown by the first."""
    lowest, highest = taken.range
    shown = np.nan_to_num((pixels.astype(np.float64) - lowest) / (highest - lowest)).clip(0, 1) * 255
    picture = Image.fromarray((shown if shown.shape[2] == 3 else shown[..., 0]).round().astype(np.uint8))
    picture.thumbnail((_PIXELS, _PIXELS))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
