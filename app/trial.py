"""`veleta trial`: the candidate and the live version of a model, by what production has labelled since there are both, which neither has
learnt from.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.events import open_log
from app.predictor import Predictor
from app.processors import processors
from app.settings import Settings
from models.errors import VeletaError
from models.manifest import Manifest
from models.store import Published, Store
from monitoring.accuracy.duel import Duel
from monitoring.arrays import FloatArray
from monitoring.counts.examples import Alike, Example, Examples, alike
from monitoring.incidents.wording import moment
from monitoring.subject import Subject
from monitoring.tasks.task import Measure


class TrialError(VeletaError):
    """There is nothing to try, or nothing to try it by."""


@dataclass(frozen=True)
class Report:
    """How right each is on the rows since then, in the measure of the task, and what the rows say that one of them does better."""

    name: str
    live: int
    candidate: int
    since: float
    rows: int
    measure: Measure
    measured: tuple[float, float]
    duel: Duel

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "live": self.live,
            "candidate": self.candidate,
            "since": self.since,
            "rows": self.rows,
            self.measure: {"live": self.measured[0], "candidate": self.measured[1]},
            "won": self.duel.won,
            "lost": self.duel.lost,
            "log_evidence": self.duel.log_evidence,
            "state": self.duel.state,
        }

    def to_text(self) -> str:
        name = "accuracy" if self.measure == "accuracy" else "mean absolute error"
        (live, candidate), duel = self.measured, self.duel
        said = {
            "better": f"it is better, beyond chance; next: veleta promote {self.name} {self.candidate}",
            "worse": "it is worse, beyond chance",
            "open": "that may be chance; ask again when more is labelled",
        }
        sides = f"{self.name}/{self.candidate} against {self.name}/{self.live}, which is live"
        return "\n".join(
            [
                f"{sides}, by {self.rows:,} inputs that were answered since {moment(self.since)} and labelled",
                f"{name} {live:.4g} → {candidate:.4g}",
                f"{duel.won:,} rows done better, {duel.lost:,} worse: evidence {duel.evidence:.3g}, which counts from 20 on",
                said[duel.state],
            ]
        )


def run(settings: Settings, name: str, version: int | None) -> Report:
    """Try a version, the candidate without a number, against the live one. Raises VeletaError."""
    store = Store(settings.store_folder)
    live = store.open(name)
    number = version if version is not None else store.candidate(name)
    if number is None:
        raise TrialError(f"{name} has no candidate; make one with `veleta refresh {name}`, or say which version is to be tried")
    candidate = store.open(name, number)
    if number == live.manifest.version:
        raise TrialError(f"{name}/{number} is live; there is nothing to try it against")
    if candidate.manifest.classes != live.manifest.classes or candidate.manifest.task != live.manifest.task:
        raise TrialError(f"{name}/{number} and {name}/{live.manifest.version} do not tell the same classes, so they cannot be compared")
    since = max(_created(candidate.manifest), _created(live.manifest))
    return _hold(live, candidate, since, _labelled(settings, name, since), store)


def _labelled(settings: Settings, name: str, since: float) -> list[Example]:
    """What was answered since then and is labelled by now. Each different row once, since a client may send it many times, and none that
    was labelled before: it may have been learnt.
    """
    if not settings.state_folder.is_dir():
        raise TrialError(f"no server has noted anything in {settings.state_folder}; say with --state where its folder is")
    with closing(Examples(settings.state_folder)) as examples:
        with closing(open_log(settings)) as log:
            examples.label_from(log)
        found = examples.of(name)
    before = {example.input.tobytes() for example in found if example.predicted_at < since}
    new = [example for example in found if example.input.tobytes() not in before]
    return list({(example.input.tobytes(), example.actual): example for example in new}.values())


def _hold(live: Published, candidate: Published, since: float, examples: Sequence[Example], store: Store) -> Report:
    players = [_Player(published) for published in (live, candidate)]
    measured: tuple[list[FloatArray], list[FloatArray]] = [], []
    for some in alike(examples):
        if (rows := _as_asked(some, players, store)) is not None:
            for found, player, x in zip(measured, players, rows.inputs, strict=True):
                found.append(player.measure(x, rows.labels))
    if not measured[0]:
        raise TrialError(
            f"nothing that was answered since {moment(since)} is kept with its label; send labels to /feedback, and ask again then"
        )
    first, second = map(np.concatenate, measured)
    task = players[0].subject.task
    gain = second - first if task.measure == "accuracy" else first - second
    duel = Duel(int((gain > 0).sum()), int((gain < 0).sum()))
    numbers = live.manifest.version, candidate.manifest.version
    return Report(live.manifest.name, *numbers, since, len(first), task.measure, (float(first.mean()), float(second.mean())), duel)


class _Player:
    """One of the two, in the form in which it is served."""

    def __init__(self, published: Published) -> None:
        self.subject, manifest = Subject.load(published), published.manifest
        self._predictor = Predictor(published.path(), manifest.input, processors(), nullcontext(), manifest.task)

    def measure(self, x: NDArray[Any], labels: NDArray[Any]) -> FloatArray:
        """Of each row (n,)."""
        rows = np.ascontiguousarray(x, dtype=self.subject.manifest.input.dtype)
        return self.subject.task.per_row(self._predictor.predict(rows).outputs, labels)


@dataclass(frozen=True)
class _Rows:
    """Rows as each of the players takes them, (n, …), and their labels (n,)."""

    inputs: list[NDArray[Any]]
    labels: NDArray[Any]


def _as_asked(some: Alike, players: Sequence[_Player], store: Store) -> _Rows | None:
    """Rows that one variant was asked about; None if the players cannot be asked about them."""
    name, version, variant = some.subject.split("/")
    try:
        asked = Subject.load(store.open(name, int(version)), variant)
    except VeletaError:  # its version is gone from the shelf, and with it what its labels and columns say
        return None
    columns = [one.reference.fitted.columns for one in (asked, *(player.subject for player in players))]
    if asked.manifest.classes != players[0].subject.manifest.classes:
        return None
    if columns[0] is None:
        fits = all(_takes(player.subject.manifest, some.inputs.shape[1:]) for player in players)
        return _Rows([some.inputs, some.inputs], some.actual) if fits else None
    table, unknown = columns[0].decode(some.inputs)
    known = {name: values[~unknown] for name, values in table.items()}
    if unknown.all() or any(one is None or set(one.names) != set(known) for one in columns[1:]):
        return None
    return _Rows([one.encode(known) for one in columns[1:] if one], some.actual[~unknown])


def _takes(manifest: Manifest, shape: tuple[int, ...]) -> bool:
    taken = manifest.input.row_shape
    return len(taken) == len(shape) and all(size in (0, given) for size, given in zip(taken, shape, strict=True))


def _created(manifest: Manifest) -> float:
    return datetime.datetime.fromisoformat(manifest.created).timestamp()
