"""Veleta's own figures: the cells of every server, and the promises that only it makes."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import orjson

from benchmarks.serving import one_client, open_loop, overload, turning
from benchmarks.serving.load import Load, Post, answers, wrk
from benchmarks.serving.model import Model
from benchmarks.serving.overload import Overload
from benchmarks.serving.plan import Plan
from benchmarks.serving.processes import Server, environment, free_port, serving, weigh

_DEADLINE_SECONDS = 1.0
_SCALE_SECONDS = 0.2
T = TypeVar("T")


@dataclass(frozen=True)
class Trend:
    """Memory of all processes under load: the mean of its second fifth and of its last, in MiB. The first fifth warms up."""

    early_mib: float
    late_mib: float
    seconds: float

    @classmethod
    def of(cls, samples: list[float], seconds: float) -> Trend:
        fifths = np.array_split(np.array(samples), 5)
        return cls(float(fifths[1].mean()), float(fifths[-1].mean()), seconds)


@dataclass(frozen=True)
class Share:
    """The mean over processes of the pair in the middle, with its 95 % interval by bootstrap over the processes: they differ by how they
    happened to start.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, processes: Sequence[Sequence[float]]) -> Share:
        """Of the pairs of each process."""
        middles = np.array([np.median(pairs) for pairs in processes])
        drawn = np.random.default_rng(0).choice(middles, (2000, len(middles))).mean(axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        return cls(float(middles.mean()), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.value:.1%}; 95 %: {self.low:.1%} to {self.high:.1%}"


@dataclass(frozen=True)
class Watching:
    """What monitoring takes of the processor time of a request, of a server that has no more to give: of its throughput at most as much,
    since its clients are on the same machine.
    """

    share: Share
    core_us: float


@dataclass(frozen=True)
class Manners:
    """What it promises beside its speed. `seen` is one connection as its client sees it."""

    seen: dict[str, Load]
    crowd: Load
    overload: Overload
    overload_memory: Trend
    start_seconds: float
    worker_rss_mib: float
    worker_pss_mib: float
    watching: Watching
    soak: Load
    soak_memory: Trend


def posts(model: Model) -> dict[str, Post]:
    """JSON as flat lists of numbers, and raw octets."""
    json = {rows: tuple(orjson.dumps({"instances": group.tolist()}) for group in model.groups(rows)) for rows in (1, 32)}
    raw = {rows: tuple(group.tobytes() for group in model.groups(rows)) for rows in (1, 32)}
    path = f"/predict/{model.published.manifest.name}"
    return {
        **{f"json_{rows}": Post(path, bodies, rows) for rows, bodies in json.items()},
        **{f"binary_{rows}": Post(path, bodies, rows, "application/octet-stream") for rows, bodies in raw.items()},
    }


@contextlib.contextmanager
def running(model: Model, program: str = "veleta") -> Iterator[Server]:
    """A server of that model with the settings that everybody gets."""
    port, first = free_port(), posts(model)["json_1"]
    with tempfile.TemporaryDirectory(prefix="veleta-state-") as state:
        flags = ["--store", str(model.store), "--variant", model.variant, "--port", str(port), "--state", state]
        command = [sys.executable, "-m", program, "serve", *flags]
        with serving(command, port, lambda: answers(port, first, model.expected), Path(state), environment()) as server:
            yield server


def manners(model: Model, plan: Plan, capacity: float, say: Callable[[str], None]) -> Manners:
    """`capacity` is what it bears, in requests of 32 raw rows per second."""
    sent = posts(model)
    say("monitoring on and off, in turns")
    watching = _watching(model, sent, plan)
    with running(model) as server:
        say("one connection, and 256")
        wrk(server.port, sent["binary_1"], 1, plan.warm_up)
        seen = {cell: one_client.ask(server.port, sent[cell], plan.alone) for cell in ("json_1", "binary_1")}
        crowd = wrk(server.port, sent["binary_1"], 256, plan.alone)
        say("starts")
        starts = [server.start_seconds, *(_start_seconds(model) for _ in range(plan.starts - 1))]
        say(f"twice the load it can bear, {plan.overload:.0f} s")
        judged, overload_memory = _overload(server, sent["binary_32"], 2 * capacity, plan.overload)
    with running(model) as server:
        say(f"soak, {plan.soak:.0f} s")
        wrk(server.port, sent["json_1"], 32, plan.warm_up)
        soak, soak_memory = _weighed(server, lambda: wrk(server.port, sent["json_1"], 32, plan.soak))
        workers = [weigh(pid) for pid in server.workers]
    rss, pss = (max(worker[kind] for worker in workers) for kind in ("Rss", "Pss"))
    return Manners(seen, crowd, judged, overload_memory, float(np.median(starts)), rss, pss, watching, soak, soak_memory)


def _start_seconds(model: Model) -> float:
    with running(model) as server:
        return server.start_seconds


def _watching(model: Model, sent: Mapping[str, Post], plan: Plan) -> Watching:
    workers = [pairs for _ in range(plan.watched_starts) for pairs in _pairs(model, sent, plan)]
    share = Share.of([[1 - unwatched / watched for watched, unwatched in pairs] for pairs in workers])
    return Watching(share, 1e6 * float(np.median([watched for pairs in workers for watched, _ in pairs])))


def _pairs(model: Model, sent: Mapping[str, Post], plan: Plan) -> list[list[tuple[float, float]]]:
    """Of each worker of a server that has just started. The burst that is watched whole is over by then."""
    with running(model, "benchmarks.serving.turning") as server:
        wrk(server.port, sent["binary_32"], 8, plan.warm_up)
        wrk(server.port, sent["binary_1"], 32, plan.warm_up)
        turning.pairs(server.folder)  # these warm up
        wrk(server.port, sent["binary_1"], 32, plan.watched)
        return turning.pairs(server.folder)


def _overload(server: Server, post: Post, per_second: float, seconds: float) -> tuple[Overload, Trend]:
    asked = replace(post, headers=(("X-Request-Timeout", f"{_DEADLINE_SECONDS:g}"),))
    outcome, memory = _weighed(server, lambda: open_loop.run(server.port, asked, per_second, seconds))
    return overload.judge(outcome, per_second, _DEADLINE_SECONDS), memory


def _weighed(server: Server, load: Callable[[], T]) -> tuple[T, Trend]:
    """Run a load beside a scale that is read now and then."""
    began, samples = time.perf_counter(), []
    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(load)
        while not done.done():
            samples.append(server.memory_mib())
            time.sleep(_SCALE_SECONDS)
        return done.result(), Trend.of(samples, time.perf_counter() - began)
