"""Which trainings are made: faults into every kind of network, and at least as many healthy ones, on data of one of two groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.diagnosis.faults import FAULTS, Fault, Training
from benchmarks.diagnosis.networks import ARCHITECTURES, healthy
from benchmarks.diagnosis.worlds import world

HEALTHY = "healthy"
#: Data sets of each kind of network, taken in turn, and the first seed: no group sees what another has seen.
GROUPS: dict[str, tuple[dict[str, tuple[str, ...]], int]] = {
    "calibration": ({"image": ("digits",), "table": ("cancer", "wine"), "regression": ("area",)}, 1000),
    "report": ({"image": ("fashion", "optical"), "table": ("mpg", "pixels"), "regression": ("diabetes",)}, 2000),
}
#: Healthy trainings by faulty ones: one draw in eight trains badly and does not count.
_DRAWS = 1.15


@dataclass(frozen=True)
class Case:
    """One training: what is wrong with it (or HEALTHY), in which network, on which data, with which seed."""

    kind: str
    architecture: str
    data: str
    seed: int

    @property
    def fault(self) -> Fault | None:
        return next((fault for fault in FAULTS if fault.kind == self.kind), None)

    @property
    def twin(self) -> Case:
        """The same training with nothing wrong."""
        return Case(HEALTHY, self.architecture, self.data, self.seed)

    def training(self) -> Training:
        """What is trained."""
        drawn = world(self.data)
        whole = Training(healthy(self.architecture, self.seed), drawn.problem, drawn.split(self.seed))
        if whole.problem.task == "regression" or self.architecture == "table":
            whole = whole.but(label_smoothing=0.0)
        rng = np.random.default_rng([self.seed, sum(map(ord, self.kind))])
        return self.fault.put(whole, rng) if self.fault else whole

    def __str__(self) -> str:
        return f"{self.kind} {self.architecture} {self.data} {self.seed}"


def cases(group: str, seeds: int) -> Iterator[Case]:
    """The faulty ones with their twins, then as many healthy ones more as it takes to have as many of both that count."""
    faulty = list(_faulty(group, seeds))
    twins = list(dict.fromkeys(case.twin for case in faulty))
    yield from twins
    yield from faulty
    yield from _more_healthy(group, seeds, max(0, round(_DRAWS * len(faulty)) - len(twins)))


def short_cases() -> Iterator[Case]:
    """Of the report: every fault once in the network that trains fastest, and half as many healthy ones."""
    chosen = [case for case in cases("report", 1) if case.architecture == "dense"]
    faulty = [case for case in chosen if case.kind != HEALTHY]
    yield from [case for case in chosen if case.kind == HEALTHY][: len(faulty) // 2]
    yield from faulty


def _faulty(group: str, seeds: int) -> Iterator[Case]:
    data, first = GROUPS[group]
    for number in range(seeds):
        for fault in FAULTS:
            for architecture in fault.architectures:
                kind = "regression" if fault.regression else "table" if architecture == "table" else "image"
                yield Case(fault.kind, architecture, data[kind][number % len(data[kind])], first + number)


def _more_healthy(group: str, seeds: int, count: int) -> Iterator[Case]:
    data, first = GROUPS[group]
    for number in range(count):
        architecture = ARCHITECTURES[number % len(ARCHITECTURES)]
        seed = first + seeds + number // len(ARCHITECTURES)
        names = data["table"] + data["regression"] if architecture == "table" else data["image"]
        yield Case(HEALTHY, architecture, names[seed % len(names)], seed)
