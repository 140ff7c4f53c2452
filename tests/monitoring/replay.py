"""Replays a recorded hour of traffic for promtool: reference rows drawn again with a seed, binned by monitoring's own binning, counted
at the times of an ordinary scrape. Prometheus' own engine then evaluates the rules over that hour without waiting for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.store import Store
from monitoring.signals.measure import Batch
from monitoring.subject import Subject

#: One scrape, and one evaluation, each 30 s for an hour.
STEP_SECONDS, STEPS = 30, 120
REPLICAS = ("a", "b")
#: Rows that one replica answers between two scrapes, on average.
ROWS = 40

Counts = NDArray[Any]


@dataclass(frozen=True)
class Replay:
    """`counts[replica]` (steps + 1, bins): the counters of all signals at each scrape."""

    subject: Subject
    counts: dict[str, Counts]

    def added(self, end_seconds: float, window_seconds: float) -> dict[str, Counts]:
        """Rows in the bins of each signal that came in the window, over all replicas."""
        end, start = (round(at / STEP_SECONDS) for at in (end_seconds, end_seconds - window_seconds))
        return self.subject.reference.split(sum(counts[end] - counts[start] for counts in self.counts.values()))

    def series(self) -> list[dict[str, str]]:
        """The input series of `promtool test rules`."""
        rows, names = self.subject.reference.rows, list(self.subject.reference.profiles)
        found = [self._series("veleta_model_info", a, {}, "1") for a in REPLICAS]
        found += [{"series": f'up{{job="veleta", instance="{a}"}}', "values": f"1x{STEPS}"} for a in REPLICAS]
        for a in REPLICAS:
            found.append(self._series("veleta_reference_rows", a, {}, str(rows)))
            for signal in names:
                for place, count in enumerate(self.subject.reference.profiles[signal].counts):
                    labels = {"signal": signal, "bin": str(place)}
                    total = self.subject.reference.split(self.counts[a])[signal][:, place]
                    found.append(self._series("veleta_reference_bin_ratio", a, labels, repr(float(count / rows))))
                    found.append(self._series("veleta_signal_bin_total", a, labels, *map(str, total)))
        return found

    def _series(self, name: str, replica: str, labels: dict[str, str], *values: str) -> dict[str, str]:
        model, version, variant = self.subject.key.split("/")
        shown = {"job": "veleta", "instance": replica, "model": model, "version": version, "variant": variant} | labels
        written = ", ".join(f'{key}="{value}"' for key, value in shown.items())
        return {"series": f"{name}{{{written}}}", "values": f"{values[0]}x{STEPS}" if len(values) == 1 else " ".join(values)}


def replay(shelf: Path, first_half: Counts, second_half: Counts, seed: int) -> Replay:
    """An hour in which rows of `first_half` come, and then rows of `second_half`."""
    rng = np.random.default_rng(seed)
    published = Store(shelf).open("digits8", 1)
    subject = Subject.load(published, "int8")
    session = onnxruntime.InferenceSession(published.folder / published.manifest.variant("int8").file)
    halves = [_bins(subject, session, images) for images in (first_half, second_half)]
    counts = {}
    for replica in REPLICAS:
        drawn = [half[rng.integers(len(half), size=rng.poisson(ROWS))].sum(axis=0) for half in halves for _ in range(STEPS // 2)]
        counts[replica] = np.vstack([np.zeros_like(drawn[0]), np.cumsum(drawn, axis=0)])
    return Replay(subject, counts)


def _bins(subject: Subject, session: onnxruntime.InferenceSession, images: Counts) -> Counts:
    """Which bins each image falls into, all signals in a row: (images, bins) of 0 and 1."""
    rows = images.astype(np.float32)
    answers = session.run(["probabilities", "embedding"], {subject.manifest.input.name: rows})
    batches = (Batch(rows[i : i + 1], *(answer[i : i + 1] for answer in answers)) for i in range(len(rows)))
    return np.array([subject.reference.count(batch, subject.manifest.input)["signals"] for batch in batches])
