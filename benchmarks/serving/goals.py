"""What was promised, held against what was measured. A goal whose rival was not measured is neither reached nor missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.serving.anchors import Anchors
from benchmarks.serving.cells import CELLS, Served, rows_of
from benchmarks.serving.veleta import Manners, Trend

#: Written by hand for the comparison.
NO_PRODUCTS = ("asgi", "flask")
#: Beyond this share, memory is not flat.
_FLAT = 1.05
_TITLES = {"json_1": "one image, JSON", "binary_1": "one image, binary", "json_32": "32 images, JSON", "binary_32": "32 images, binary"}


@dataclass(frozen=True)
class Goal:
    """`value` is to be at least or at most `bound`; None: not measured."""

    title: str
    value: float | None
    bound: float
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def best_other(peers: Mapping[str, Served], cell: str) -> float | None:
    """Rows per second of the best server product but PyTriton, which has goals of its own."""
    found = [served.cells[cell].rows_per_second for name, served in peers.items() if name not in ("pytriton", *NO_PRODUCTS)]
    return max(found, default=None)


def speed(anchors: Anchors, veleta: Served, peers: Mapping[str, Served]) -> Iterator[Goal]:
    for cell in CELLS:
        title, rows = _TITLES[cell], veleta.cells[cell].rows_per_second
        triton = rows / peers["pytriton"].cells[cell].rows_per_second if "pytriton" in peers else None
        if rows_of(cell) == 1:
            others = best_other(peers, cell)
            yield Goal(f"{title}: by PyTriton", triton, 3, at_least=True)
            yield Goal(f"{title}: by the best other peer", rows / others if others else None, 4, at_least=True)
            yield from _by(f"{title}: by the limit", cell, rows, anchors.limit(1), 0.80, anchors)
        else:
            yield Goal(f"{title}: by PyTriton", triton, 1.5, at_least=True)
            yield from _by(f"{title}: by raw ONNX Runtime, batch 32", cell, rows, anchors.raw["32"], 0.85, anchors)
    yield Goal("requests that failed", sum(veleta.cells[cell].failed for cell in CELLS), 0)


def _by(title: str, cell: str, rows: float, limit: float, bound: float, anchors: Anchors) -> Iterator[Goal]:
    yield Goal(title, rows / limit, bound, at_least=True)
    if cell.startswith("json"):
        yield Goal(f"{title}, and its JSON read (ours to add)", rows / anchors.with_json(limit), bound, at_least=True)


def manners(anchors: Anchors, veleta: Served, peers: Mapping[str, Served], found: Manners, queue_rows: int) -> Iterator[Goal]:
    """`queue_rows` may wait in each worker."""
    floor = anchors.call_ms + anchors.bare_alone.p50_ms
    for cell, load in veleta.alone.items():
        yield Goal(f"{_TITLES[cell]}, 1 connection: p50 by raw ONNX Runtime plus bare server ({floor:.2f} ms)", load.p50_ms / floor, 1.25)
        by_hand = load.p50_ms / peers["asgi"].alone[cell].p50_ms if "asgi" in peers else None
        yield Goal(f"{_TITLES[cell]}, 1 connection: p50 by ASGI with nothing but one call (ours to add)", by_hand, 1.25)
        seen = found.seen[cell]
        yield Goal(f"{_TITLES[cell]}, 1 connection: p99 by p50, as its client sees them", seen.p99_ms / seen.p50_ms, 2)
        yield Goal(f"{_TITLES[cell]}, 1 connection: p99 by p50, as wrk corrects them", load.p99_ms / load.p50_ms, 2)
    full_queue_ms = 1e3 * queue_rows * anchors.cores / veleta.cells["binary_1"].rows_per_second
    yield Goal("256 connections: requests that failed", found.crowd.failed, 0)
    yield Goal("256 connections: p99 by the time of a full queue", found.crowd.p99_ms / full_queue_ms, 1)
    yield from _overload(found)
    yield Goal("start to first answer, s", found.start_seconds, 1)
    yield Goal("memory of a worker (RSS), MiB", found.worker_rss_mib, 130e6 / 2**20)
    yield Goal(f"soak of {found.soak_memory.seconds:.0f} s: requests that failed", found.soak.failed, 0)
    yield _flat(f"soak of {found.soak_memory.seconds:.0f} s", found.soak_memory)
    watching = found.watching
    spent = f"of {watching.core_us:.0f} µs; {watching.share}"
    yield Goal(f"cost of monitoring, share of the processor time of a request ({spent})", watching.share.value, 0.03)


def _overload(found: Manners) -> Iterator[Goal]:
    judged = found.overload
    neither = sum(count for status, count in judged.statuses.items() if status not in ("200", "429")) + judged.unsent
    yield Goal("twice the load: p99 of the accepted by the deadline", judged.accepted_p99_ms / judged.deadline_ms, 1)
    yield Goal("twice the load: turned away by 429", float(judged.statuses.get("429", 0)), 1, at_least=True)
    yield Goal("twice the load: answered otherwise or not sent", float(neither), 0)
    ratio = judged.retry_ratio and judged.retry_ratio[1]
    yield Goal("twice the load: Retry-After is off by this factor, in the middle", max(ratio, 1 / ratio) if ratio else None, 2)
    yield _flat("twice the load", found.overload_memory)


def _flat(title: str, trend: Trend) -> Goal:
    return Goal(f"{title}: memory, last fifth by second fifth", trend.late_mib / trend.early_mib, _FLAT)
