"""The one table, and the same as data."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving.anchors import Anchors
from benchmarks.serving.cells import CELLS, Served, rows_of
from benchmarks.serving.goals import Goal, best_other
from benchmarks.serving.model import Model
from benchmarks.serving.peers import PEERS
from benchmarks.serving.veleta import Manners

#: Column → its width.
_COLUMNS = {
    "": 40,
    "JSON 1, /s": 11,
    "binary 1, /s": 13,
    "JSON 32, img/s": 15,
    "binary 32, img/s": 17,
    "p50 ms": 8,
    "p99 ms": 8,
    "alone ms": 10,
    "core µs": 9,
    "failed": 8,
    "MiB": 6,
    "start s": 9,
}
_MARKS = {True: "reached", False: "NOT REACHED", None: "not measured"}


@dataclass
class Report:
    """All that a run found. `absent` says of each peer that could not be measured why."""

    model: Model
    anchors: Anchors
    veleta: Served | None = None
    manners: Manners | None = None
    peers: dict[str, Served] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        manifest = self.model.published.manifest
        return {
            "machine": {"processor": processor(), "cores": self.anchors.cores, "load_average": os.getloadavg()},
            "model": {"name": manifest.name, "version": manifest.version, "variant": self.model.variant},
            "anchors": asdict(self.anchors) | {"limit": {cell: self.anchors.limit(rows_of(cell)) for cell in CELLS}},
            "veleta": self.veleta and asdict(self.veleta),
            "manners": self.manners and asdict(self.manners),
            "peers": {name: asdict(served) for name, served in self.peers.items()},
            "absent": self.absent,
            "goals": [asdict(goal) | {"reached": goal.reached} for goal in self.goals],
        }

    def to_text(self) -> str:
        manifest, cores = self.model.published.manifest, self.anchors.cores
        title = (
            f"{manifest.name}/{manifest.version} {self.model.variant} on {cores} cores of {processor()}, "
            f"Python {platform.python_version()}\n"
            "32 connections, 8 with 32 images; times and processor time (the server's own, for a request) are those of one image in binary,"
            " alone ms the p50 of one connection"
        )
        rows = [tuple(_COLUMNS), *_anchor_rows(self.anchors)]
        if self.veleta:
            rows += [_row("Veleta", self.veleta), *_ratio_rows(self.veleta, self.anchors, self.peers)]
        rows += [_row(PEERS[name].title, served) for name, served in self.peers.items()]
        rows += [(PEERS[name].title, f"not measured: {_line(why)}") for name, why in self.absent.items()]
        return "\n".join([title, "", *map(_aligned, rows), *(["", *map(_goal_line, self.goals)] if self.goals else [])])


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "an unnamed processor")


def _anchor_rows(anchors: Anchors) -> Iterator[tuple[str, ...]]:
    one, many, bare = f"{anchors.raw['1']:,.0f}", f"{anchors.raw['32']:,.0f}", f"{anchors.bare.per_second:,.0f}"
    yield "raw ONNX Runtime, batch 1 and 32", one, one, many, many, "", "", f"{anchors.call_ms:.2f}"
    yield "raw ONNX Runtime, best batch", *[f"{anchors.best:,.0f}"] * 4
    times = f"{anchors.bare.p50_ms:.1f}", f"{anchors.bare.p99_ms:.1f}", f"{anchors.bare_alone.p50_ms:.2f}", f"{anchors.bare.core_us:.0f}"
    yield "bare ASGI server", bare, bare, "", "", *times
    yield "limit = model in batches + bare server", *(f"{anchors.limit(rows_of(cell)):,.0f}" for cell in CELLS)
    read = [f"{anchors.with_json(anchors.limit(rows_of(cell))):,.0f}" if cell.startswith("json") else "" for cell in CELLS]
    yield f"limit, and its JSON read ({1e3 * anchors.reading_ms:.0f} µs a row)", *read


def _row(title: str, served: Served) -> tuple[str, ...]:
    rates = (f"{served.cells[cell].rows_per_second:,.0f}" for cell in CELLS)
    load = served.cells["binary_1"]
    failed = sum(served.cells[cell].failed for cell in CELLS)
    return (
        title,
        *rates,
        f"{load.p50_ms:.1f}",
        f"{load.p99_ms:.1f}",
        f"{served.alone['binary_1'].p50_ms:.2f}",
        f"{load.core_us:.0f}",
        str(failed),
        f"{served.memory_mib:,.0f}",
        f"{served.start_seconds:.2f}",
    )


def _ratio_rows(veleta: Served, anchors: Anchors, peers: Mapping[str, Served]) -> Iterator[tuple[str, ...]]:
    def ratios(title: str, others: list[float | None]) -> tuple[str, ...]:
        pairs = zip(CELLS, others, strict=True)
        return title, *(f"{veleta.cells[cell].rows_per_second / other:.2f}" if other else "–" for cell, other in pairs)

    def of(name: str) -> list[float | None]:
        return [peers[name].cells[cell].rows_per_second if name in peers else None for cell in CELLS]

    yield ratios("  by the limit", [anchors.limit(rows_of(cell)) for cell in CELLS])
    yield ratios("  by raw ONNX Runtime, batch 32", [anchors.raw["32"]] * len(CELLS))
    yield ratios("  by PyTriton", of("pytriton"))
    yield ratios("  by the best other peer", [best_other(peers, cell) for cell in CELLS])
    yield ratios("  by ASGI with nothing but one call", of("asgi"))
    yield ratios("  by Flask", of("flask"))


def _aligned(row: tuple[str, ...]) -> str:
    (title, *rest), (first, *others) = row, _COLUMNS.values()
    if len(rest) == 1:
        return f"{title:<{first}}{rest[0]}"
    return f"{title:<{first}}" + "".join(f"{text:>{width}}" for text, width in zip(rest, others, strict=False))


def _goal_line(goal: Goal) -> str:
    value = "–" if goal.value is None else f"{goal.value:,.3g}" if abs(goal.value) < 1000 else f"{goal.value:,.0f}"
    bound = f"{'≥' if goal.at_least else '≤'} {goal.bound:.3g}"
    return f"{_MARKS[goal.reached]:<13} {goal.title:<98} {value:>8}  {bound}"


def _line(text: str) -> str:
    return " ".join(text.split())[-150:]
