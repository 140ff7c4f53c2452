"""python -m benchmarks.ticks: what a tick of the watch costs, and that it costs the same after a month.

The real watch over real files, with the clock handed in: each tick finds so many more predictions, drawn from the reference, and a few
labels. Printed are the median and the largest time of a tick, and what is kept, by day.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.serving.model import Model, find
from models.errors import VeletaError
from models.store import Store
from monitoring.arrays import FloatArray
from monitoring.counts.label_log import LabelLog
from monitoring.counts.receipt import Receipt
from monitoring.counts.shared_counts import claim_slot, subject_counts
from monitoring.drift.alarm import Promise
from monitoring.subject import Subject
from monitoring.watch import Subjects, Watch

_DAY = 86_400.0
_LABELS = 5


@dataclass(frozen=True)
class Day:
    """The ticks of one simulated day: times in milliseconds, sizes in KiB."""

    number: int
    median: float
    largest: float
    kept: float
    memory: float


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    try:
        model = find(arguments.store, arguments.model, arguments.variant)
    except VeletaError as error:
        print(f"benchmarks.ticks: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.per_second:g} predictions a second, a tick every {arguments.tick_seconds:g} s, {_LABELS} labels a tick")
    print(f"{'day':>4} {'median ms':>10} {'largest ms':>11} {'kept KiB':>9} {'memory KiB':>11}")
    for day in days(model, arguments.days, arguments.tick_seconds, arguments.per_second):
        print(f"{day.number:>4} {day.median:>10.2f} {day.largest:>11.2f} {day.kept:>9.0f} {day.memory:>11.0f}", flush=True)
    return 0


def days(model: Model, number: int, tick_seconds: float, per_second: float) -> Iterator[Day]:
    """Simulate so many days."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="veleta-ticks-") as scratch:
        folder, subject = Path(scratch), Subject.load(model.published, model.variant or None)
        log = LabelLog(folder / "events.db")
        watch = Watch(folder, Subjects(Store(model.store)), log, Promise(30, tick_seconds), 30 * _DAY)
        (folder / "leader").touch()
        row = subject_counts(folder / "counts", subject.key, subject.layout).row(claim_slot(folder / "slots"))
        signals = subject.layout.split(row)["signals"]
        for day in range(number):
            seconds = []
            for now in np.arange(day * _DAY, (day + 1) * _DAY, tick_seconds) + 1e9:
                signals += _predictions(subject, round(per_second * tick_seconds), rng)
                log.add([(_receipt(subject, now, rng), 0) for _ in range(_LABELS)], now)
                began = time.perf_counter()
                watch.tick(float(now))
                seconds.append(time.perf_counter() - began)
            kept = (folder / "watch.safetensors").stat().st_size
            yield Day(day + 1, 1e3 * float(np.median(seconds)), 1e3 * max(seconds), kept / 1024, _resident_kib())
        log.close()


def _resident_kib() -> float:
    """Memory of this process that is in use; Python's own count of it would slow down what is timed."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


def _predictions(subject: Subject, rows: int, rng: np.random.Generator) -> FloatArray:
    """Counts of all signals as the reference has them."""
    profiles = subject.reference.profiles.values()
    return np.concatenate([rng.multinomial(rows, profile.counts / profile.counts.sum()) for profile in profiles]).astype(np.float64)


def _receipt(subject: Subject, now: float, rng: np.random.Generator) -> Receipt:
    return Receipt(subject.fingerprint, now - 60, 0, 0.99, rng.bytes(16))


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ticks", description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="the store of the model; without it the benchmarks' own")
    parser.add_argument("--model", default="")
    parser.add_argument("--variant", default="")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--tick-seconds", type=float, default=60.0, help="a real server ticks every 5 s; the month is 12 times shorter so")
    parser.add_argument("--per-second", type=float, default=1000.0)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
