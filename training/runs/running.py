"""A run under way: what is learnt of it goes to its file as it comes, at most once a second, so that others can watch it.

    with record.start(plan) as run:
        run.epoch("training", 0, {"loss": 1.2, "val_loss": 1.3})
        run.finish(result)

A run that is left by an exception has failed, or was interrupted or pruned; one whose process is killed is found out by its lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import math
import os
import platform
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from models.errors import VeletaError
from models.manifest import Verdict
from training.compression.processor import cpu_name
from training.errors import PrunedError
from training.publishing.origin import git_commit, package_versions
from training.runs.run import FORMAT, Environment, Fit, Plan, Result, Run, State

if TYPE_CHECKING:
    from training.runs.record import Record

_BETWEEN_WRITES_SECONDS = 1.0


class Running:
    """What `Record.start` gives. Also a listener of `Progress`, which tells it of each epoch."""

    def __init__(self, record: Record, plan: Plan, passed_seconds: float = 0.0) -> None:
        self._record = record
        self._started, self._written = time.monotonic() - passed_seconds, -math.inf
        self._curves: dict[str, dict[str, list[float | None]]] = {}
        self.id, self._lock = record.take()
        environment = Environment(git_commit(), package_versions(), platform.python_version(), cpu_name())
        self._run = Run(FORMAT, self.id, plan, environment, "running", _now(-passed_seconds), None, 0.0, (), (), Result(), None)
        try:
            self._write()
        except OSError as error:
            raise record.unwritable(error) from error

    def __enter__(self) -> Running:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        state, words = _outcome(error)
        self._run = dataclasses.replace(self._run, state=state, ended=_now(), error=words)
        try:
            self._write()
        except OSError as unwritable:
            if error is None:
                raise self._record.unwritable(unwritable) from unwritable
        finally:
            self._lock.close()

    @property
    def folder(self) -> str:
        return str((self._record.folder / str(self.id)).resolve())

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        """Figures of an epoch (from 0) of the fit `what`; more of them may follow for the same epoch."""
        curves = self._curves.setdefault(what, {})
        for name, value in figures.items():
            curve = curves.setdefault(name, [])
            curve += [None] * (epoch + 1 - len(curve))
            curve[epoch] = float(value) if math.isfinite(value) else None
        self._note()

    def verdicts(self, found: Iterable[Verdict]) -> None:
        """What the diagnosis says; to be called again when there is more."""
        self._run = dataclasses.replace(self._run, verdicts=(*self._run.verdicts, *found))
        self._note()

    def finish(self, result: Result) -> None:
        """What came of it. Later calls replace earlier ones."""
        self._run = dataclasses.replace(self._run, result=result)
        self._note()

    def _note(self) -> None:
        """Write what is new, if it is time. A full disk is told at the end: the training itself goes on."""
        if time.monotonic() - self._written >= _BETWEEN_WRITES_SECONDS:
            with contextlib.suppress(OSError):
                self._write()

    def _write(self) -> None:
        fits = tuple(Fit(what, {name: tuple(curve) for name, curve in curves.items()}) for what, curves in self._curves.items())
        self._run = dataclasses.replace(self._run, fits=fits, seconds=round(time.monotonic() - self._started, 3))
        self._written = time.monotonic()
        path = self._record.folder / str(self.id) / "run.json"
        staged = path.with_name(".run.json.new")
        with staged.open("w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(self._run), file, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)


def _outcome(error: BaseException | None) -> tuple[State, str | None]:
    """The state of a run that an exception ended, and why."""
    match error:
        case None:
            return "done", None
        case PrunedError():
            return "pruned", str(error)
        case KeyboardInterrupt() | SystemExit():
            return "interrupted", "it was told to stop"
        case VeletaError():
            return "failed", str(error)
        case _:
            return "failed", f"{type(error).__name__}: {error}"


def _now(later_seconds: float = 0.0) -> str:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=later_seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
