"""`veleta drill`: the live version of a model, the traffic that its server has seen, and a change of its held-back rows."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.drill_report import DrillError, Plan, Report, Seen
from app.predictor import Predictor
from app.processors import processors
from app.settings import Settings
from models.store import Published, Store
from monitoring.arrays import FloatArray
from monitoring.drift.alarm import Promise
from monitoring.drift.drill import Change, Looked, Traffic, replay
from monitoring.drift.evidence import Streams
from monitoring.drift.streams import streams_of
from monitoring.reference import read_samples
from monitoring.signals import shifts
from monitoring.signals.measure import Batch
from monitoring.subject import Subject
from monitoring.track import Track
from monitoring.watch import Memory

#: Where the traffic seen is looked for, the latest first.
_WINDOWS = {"the last hour": 3600.0, "the last 24 hours": 86400.0}


def run(settings: Settings, name: str, shift: str, share: float, per_second: float | None, runs: int, now: float) -> Report:
    """Try a shift of the live version of a model, at the traffic given or at that which its server has seen. Raises VeletaError."""
    published = Store(settings.store_folder).open(name)
    subject = Subject.load(published, settings.variant or None)
    plan = Plan.parse(shift, share, published.manifest)
    seen = Seen(Traffic(per_second), "as given") if per_second else traffic_seen(subject, settings.state_folder, now)
    return hold(published, subject, plan, seen, Promise(settings.days_between_false_alarms, settings.tick_seconds), runs)


def list_shifts() -> str:
    """All shifts with their usual strengths."""
    lines = []
    for title, table in shifts.TABLES.items():
        lines += [f"{title}:", *(f"  {f'{name}:{shift.strength:g}':<18} {shift.about}; {shift.unit}" for name, shift in table.items())]
    return "\n".join(lines)


def hold(published: Published, subject: Subject, plan: Plan, seen: Seen, promise: Promise, runs: int, seed: int = 0) -> Report:
    """Try a shift on a shadow of the detector."""
    rng = np.random.default_rng(seed)
    samples, streams = read_samples(published.file("reference.npz")), streams_of(subject)
    predictor = Predictor(published.path(subject.variant), subject.manifest.input, processors(), nullcontext(), subject.manifest.task)
    before, right = _answered(subject, streams, predictor, samples.inputs, samples.labels)
    after, right_after = before, right
    weights: FloatArray = np.ones(len(before))
    if plan.shift.weigh:
        weights = shifts.weights(plan.name, samples.labels, plan.strength, rng)
    else:
        shifted = shifts.apply(plan.name, samples.inputs, plan.strength, rng, kind=subject.manifest.input.kind)
        after, right_after = _answered(subject, streams, predictor, shifted, samples.labels)
    outcome = replay(streams, Change(before, after, weights, plan.share), seen.traffic, promise, runs, rng)
    accuracy = float(right.mean())
    shifted_accuracy = plan.share * float(np.average(right_after, weights=weights)) + (1 - plan.share) * accuracy
    return Report(subject.key, plan, promise, seen, outcome, (accuracy, shifted_accuracy), len(right), subject.task.measure)


def traffic_seen(subject: Subject, state: Path, now: float) -> Seen:
    """What a server that keeps its counts in the folder `state` has answered lately. Raises DrillError."""
    if track := _track(state / "watch.safetensors", subject):
        watched = max(1.0, now - float(track.history.times[0]))
        for window, seconds in _WINDOWS.items():
            if rows := subject.watched(track.increase(now, seconds)[0]):
                clump = float(track.vigil.evidence.overdispersion.mean())
                return Seen(Traffic(rows / min(seconds, watched), clump), f"seen in {window}")
    raise DrillError(
        f"{subject.key} answered nothing in {' or '.join(_WINDOWS)} by what {state} knows; "
        "give the traffic with --rate PREDICTIONS_PER_SECOND"
    )


def _track(path: Path, subject: Subject) -> Track | None:
    try:
        track = Memory.from_bytes(path.read_bytes()).tracks.get(subject.key)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise DrillError(f"{path} cannot be read; give the traffic with --rate PREDICTIONS_PER_SECOND") from error
    return track if track and track.fits(subject) else None


def _answered(
    subject: Subject, streams: Streams, predictor: Predictor, inputs: NDArray[Any], labels: NDArray[Any]
) -> tuple[FloatArray, FloatArray]:
    """What each row adds to the counts, and how right its answer is, in the measure of the task."""
    rows = np.ascontiguousarray(inputs, dtype=subject.manifest.input.dtype)
    answer = predictor.predict(rows)
    batch = Batch(rows, answer.outputs, answer.embedding)
    looked = Looked.at(batch, subject.manifest.input, subject.reference.fitted)
    return looked.counts(subject.reference.profiles, streams), subject.task.per_row(answer.outputs, labels)
