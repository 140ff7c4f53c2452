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

from benchmarks.serving import cells, one_client, open_loop, overload
from benchmarks.serving.load import Load, Post, answers, mean, wrk
from benchmarks.serving.model import Model
from benchmarks.serving.overload import Overload
from benchmarks.serving.plan import Plan
from benchmarks.serving.processes import Server, environment, free_port, serving, weigh

_DEADLINE_SECONDS = 1.0
_SCALE_SECONDS = 0.2
#: After so long, what a load has left to count is counted.
_COUNTED_SECONDS = 0.5
_WATCHED, _UNWATCHED = "veleta", "benchmarks.serving.unwatched"
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
    """The mean over starts of the pair in the middle, with its 95 % interval by bootstrap over the starts of the two servers: processes
    differ by how they happened to start, more than turns do.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, starts: Sequence[Sequence[float]]) -> Share:
        """Of the pairs of each start."""
        middles = np.array([np.median(pairs) for pairs in starts])
        drawn = np.random.default_rng(0).choice(middles, (2000, len(middles))).mean(axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        return cls(float(middles.mean()), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.value:.1%}; 95 %: {self.low:.1%} to {self.high:.1%}"


@dataclass(frozen=True)
class Watching:
    """What monitoring takes: the share by which fewer requests are answered, and that of a server's processor time for a request."""

    fewer: Share
    core: Share
    core_us_with: float
    core_us_without: float


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
def running(model: Model, program: str = _WATCHED) -> Iterator[Server]:
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
    """Both servers are asked in short turns, so that the machine's drift falls on both, and are started anew now and then."""
    starts = [_pairs(model, sent, plan) for _ in range(plan.watched_starts)]
    fewer = Share.of([[1 - of.per_second / without.per_second for of, without in pairs] for pairs in starts])
    core = Share.of([[1 - without.core_us / of.core_us for of, without in pairs] for pairs in starts])
    with_it, without_it = (mean([pair[side] for pairs in starts for pair in pairs]).core_us for side in (0, 1))
    return Watching(fewer, core, with_it, without_it)


def _pairs(model: Model, sent: Mapping[str, Post], plan: Plan) -> list[tuple[Load, Load]]:
    """Turns of two servers that have just started: with monitoring and without. The burst that is watched whole is over by then."""
    with running(model) as watched, running(model, _UNWATCHED) as unwatched:
        for server in (watched, unwatched):
            wrk(server.port, sent["binary_32"], 8, plan.warm_up)
        found: dict[int, list[Load]] = {watched.pid: [], unwatched.pid: []}
        for number in range(-1, plan.pairs):
            for server in (watched, unwatched) if number % 2 else (unwatched, watched):
                found[server.pid].append(cells.weighed(server, sent["binary_1"], 32, plan.watched, _COUNTED_SECONDS))
        return list(zip(found[watched.pid], found[unwatched.pid], strict=True))[1:]  # the first ones warm up


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
