"""The service: the parts that every protocol and every route shares, wired once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.accepting import Shares
from app.decoding import Limits, decode
from app.door import Door
from app.errors import BadInput
from app.events import open_log, signing_secret
from app.feedback import Feedback
from app.hanging import Calls
from app.served import Loaded, Served
from app.settings import Settings
from app.takes import Takes
from app.unloaded import Unloaded
from models.store import Store
from monitoring.counts.examples import Examples, ExamplesError
from monitoring.counts.label_log import LabelLog
from monitoring.counts.layout import FEEDBACK_RESULTS, server_layout
from monitoring.counts.receipt import Seal
from monitoring.counts.recorder import Recorder
from monitoring.counts.shared_counts import SharedCounts, alive, server_counts
from monitoring.drift.alarm import Promise
from monitoring.incidents.files import Incidents
from monitoring.watch import Subjects, Watch

#: The routes that requests are counted by; the last stands for all others.
ROUTES = (
    "/",
    "/predict",
    "/feedback",
    "/monitor",
    "/incidents",
    "/metrics",
    "/samples",
    "/healthz",
    "/readyz",
    "/v2",
    "/v1",
    "/invocations",
    "/ping",
    "other",
)


@dataclass(frozen=True)
class Service:
    """What a worker has. Made after the fork."""

    settings: Settings
    limits: Limits
    door: Door
    calls: Calls
    served: Served
    recorder: Recorder
    watch: Watch
    incidents: Incidents
    seal: Seal
    feedback: Feedback
    counts: SharedCounts
    log: LabelLog
    examples: Examples | None
    shares: Shares
    draining: threading.Event
    closed: threading.Event

    def read(self, body: bytes, content_type: str, name: str | None = None) -> tuple[Loaded, NDArray[Any]]:
        """The model that a request asks, and the rows that it asks about. Raises RequestError."""
        loaded = self.served.get(name)
        return loaded, self.rows(loaded, partial(decode, body, content_type))

    def rows(self, loaded: Loaded, read: Callable[[Takes, Limits], NDArray[Any]]) -> NDArray[Any]:
        """The rows that `read` finds for what a model takes. What it refuses is noted. Raises RequestError."""
        began = time.perf_counter()
        try:
            return read(loaded.takes, self.limits)
        except BadInput as error:
            self.recorder.refused(loaded.subject, error.check, time.perf_counter() - began)
            raise

    def feedback_totals(self) -> dict[str, int]:
        """Labels that were not counted, by what came of them; the counted ones are in the tracks."""
        counted = self.counts.layout.split(self.counts.total())["feedback"]
        return {result: round(number) for result, number in zip(FEEDBACK_RESULTS, counted.tolist(), strict=True) if result != "matched"}

    def examples_of(self, name: str) -> int | None:
        """How many labelled inputs there are to learn from; None if none are kept, or if they cannot be read now."""
        try:
            return self.examples.count(name) if self.examples else None
        except ExamplesError:
            return None

    def all_looked(self, since: float) -> bool:
        """Whether every worker that lives has taken up what was live at that time."""
        rows = [self.counts.layout.split(row) for row in self.counts.rows]
        living = alive({"pid": np.array([row["pid"] for row in rows])})
        return all(row["looked"][0] >= since for row, lives in zip(rows, living, strict=True) if lives)

    def close(self) -> None:
        """Count what is left and stop all threads. Once: whoever ends the process may say it twice."""
        if self.closed.is_set():
            return
        self.closed.set()
        self.served.close()
        self.door.close()
        self.recorder.close()
        self.watch.close()
        self.log.close()
        if self.examples:
            self.examples.close()


def _examples(settings: Settings) -> Examples | None:
    """The file of inputs that wait for their labels, if there is to be one."""
    return Examples(settings.state_folder, settings.examples_megabytes * 1e6) if settings.examples_megabytes else None


def build(settings: Settings) -> Service:
    """Wire a worker's service: what is served, what is noted, what is watched."""
    store, folder = Store(settings.store_folder), settings.state_folder
    keep_seconds = settings.label_days * 86400
    log, subjects = open_log(settings), Subjects(store)
    seal = Seal(signing_secret(settings, log))
    examples = _examples(settings)
    recorder = Recorder(folder, ROUTES, settings.capture_rows, settings.watch_limit, examples)
    calls = Calls(settings.hang_seconds)
    served = Served(
        store,
        Unloaded(folder / "unloaded"),
        settings.variant,
        settings.model,
        settings.model_threads,
        calls,
        recorder.loaded,
        recorder.looked,
    )
    service = Service(
        settings,
        Limits(settings.max_body_bytes, settings.max_rows, settings.max_pixels),
        Door(settings, recorder),
        calls,
        served,
        recorder,
        Watch(folder, subjects, log, Promise(settings.days_between_false_alarms, settings.tick_seconds), keep_seconds, examples),
        Incidents(folder / "incidents"),
        seal,
        Feedback(seal, subjects, log, keep_seconds, settings.max_rows),
        server_counts(folder / "counts", server_layout(ROUTES)),
        log,
        examples,
        Shares(folder, recorder.slot),
        threading.Event(),
        threading.Event(),
    )
    served.refresh()
    served.watch(settings.reload_seconds)
    service.watch.start()
    return service
