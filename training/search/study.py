"""The study: Optuna's memory of the trials, in a journal file or a PostgreSQL database, shared by all processes that search."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import optuna
import sqlalchemy
from optuna.storages import JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from models.configuration import without_password
from training.errors import SearchError
from training.runs.record import is_free
from training.search.sampler import sampler_of
from training.search.space import Dimension

METHODS = ("bayesian", "grid", "random")
PRUNERS = ("median", "hyperband", "none")
RUN = "run"
_SEARCH = "search"
#: How often a trial whose process died is tried again; a configuration that kills its process would go on for ever.
_MOST_RETRIES = 2
#: A trial has its search within milliseconds; without one after this long, its process died in between.
_NO_SEARCH_AFTER = timedelta(seconds=60)
_HEARTBEAT_SECONDS = 20
#: Any number that nobody else takes an advisory lock by: "veleta".
_TABLES = 0x76656C657461
_MOST_GRID_POINTS = 100_000


@dataclass(frozen=True)
class Setup:
    """What a study is made with. `storage` is the path of a journal, or a URL postgresql://…; `epochs` what a trial has at most."""

    name: str
    storage: str
    method: str
    pruner: str
    seed: int
    direction: str
    epochs: int


class KernelLock:
    """A lock that the kernel frees when its holder dies, where Optuna's own would keep the others waiting for half a minute.

    A line that a holder left half-written, as on a full disk, is cut off by the next one, or nobody could read the journal again.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._file: TextIO | None = None

    def acquire(self) -> bool:
        self._file = self._journal.with_name(f"{self._journal.name}.lock").open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        _cut_half_line(self._journal)
        return True

    def release(self) -> None:
        if self._file:
            self._file.close()


def open_study(setup: Setup, space: Sequence[Dimension], about: Mapping[str, Any]) -> optuna.Study:
    """Make the study, or join it. `about` says what is searched: who joins has to search the same. Raises SearchError."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with _alone(setup.storage):
            study = optuna.create_study(
                study_name=setup.name,
                storage=_storage(setup.storage),
                load_if_exists=True,
                direction=setup.direction,
                sampler=sampler_of(setup.method, setup.seed, space),
                pruner=_pruner(setup),
            )
            _same(study, json.loads(json.dumps(about)))
    except SearchError:
        raise
    except Exception as error:  # from OSError to what each database driver raises
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise SearchError(f"the study cannot be kept in {without_password(setup.storage)}: {words[0]}; give another --storage") from error
    return study


def join(study: optuna.Study, search: str) -> None:
    """Make known that the search with the run in this folder works on the study, before it begins its first trial."""
    study.set_user_attr(f"{_SEARCH} {search}", search)


def begin(trial: optuna.Trial, search: str) -> None:
    """Make known whose trial it is: it lives until it is told or its search is dead. That its run has ended says neither."""
    trial.set_user_attr(_SEARCH, search)


def revive(study: optuna.Study, search: str) -> list[int]:
    """Trials whose process died are failed, and put at the head of the queue; their numbers. `search` is the folder of the own run."""
    revived = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_stale(trial, study, search) and _failed(study, trial):
            _try_again(study, study.trials[trial.number])
            revived.append(trial.number)
    return revived


def give_back(study: optuna.Study, number: int) -> None:
    """The own trial, which was interrupted, to whoever goes on with the study."""
    trial = study.trials[number]
    _failed(study, trial)
    _try_again(study, trial)


def is_lost(trial: optuna.Trial) -> bool:
    """Whether another process took the search for dead, as after a machine has slept, and ended this trial of it."""
    ended: bool = trial.study._storage.get_trial(trial._trial_id).state.is_finished()
    return ended


def grid_points(space: Sequence[Dimension]) -> int:
    """Raises SearchError for a grid that is too large, or a dimension that has none."""
    points = math.prod(len(dimension.grid()) for dimension in space)
    if points > _MOST_GRID_POINTS:
        raise SearchError(f"the grid has {points:,} points, at most {_MOST_GRID_POINTS:,} can be; take fewer values, or --method bayesian")
    return points


def _is_stale(trial: FrozenTrial, study: optuna.Study, search: str) -> bool:
    """A trial gets its search a moment after it was begun; one without belongs to a process that died then, or is about to note it."""
    place = trial.user_attrs.get(_SEARCH)
    if place is not None:
        return place == search or is_free(Path(place) / "lock")
    others = (place for key, place in study.user_attrs.items() if key.startswith(f"{_SEARCH} ") and place != search)
    old = trial.datetime_start is not None and datetime.now() - trial.datetime_start > _NO_SEARCH_AFTER
    return old or all(is_free(Path(place) / "lock") for place in others)


def _failed(study: optuna.Study, trial: FrozenTrial) -> bool:
    """Whether it was us who failed it: of several processes that find the same dead trial, one does."""
    try:
        done: bool = study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
    except optuna.exceptions.UpdateFinishedTrialError:
        return False
    return done


def _try_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Put a copy of a failed trial at the head of the queue, without what its dead process noted of it."""
    trial.user_attrs = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        RetryHeartbeatStaleTrialCallback(max_retry=_MOST_RETRIES)(study, trial)


@contextlib.contextmanager
def _alone(place: str) -> Iterator[None]:
    """One process at a time makes the tables of a PostgreSQL database; two at once would get into each other's way."""
    address = _address(place)
    if not address.startswith("postgresql"):
        yield
        return
    engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:  # the lock goes with the connection, also when this process dies
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": _TABLES})
        yield


def _address(place: str) -> str:
    """A URL as SQLAlchemy wants it, with the driver that the extra installs."""
    return re.sub("^postgres(ql)?://", "postgresql+psycopg://", place)


def _storage(place: str) -> Any:
    if "://" in place:
        address = _address(place)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # No pool: between two trials nobody needs a connection, and a database has few.
            alone = {"poolclass": sqlalchemy.pool.NullPool}
            return RDBStorage(address, alone, heartbeat_interval=_HEARTBEAT_SECONDS, heartbeat_stale_trial_callback=_try_again)
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=KernelLock(path)))


def _pruner(setup: Setup) -> Any:
    if setup.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(1, setup.epochs, 3)
    if setup.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, setup.epochs // 10))
    return optuna.pruners.NopPruner()


def _same(study: optuna.Study, about: dict[str, Any]) -> None:
    known = study.user_attrs.get("about")
    if known is None:
        study.set_user_attr("about", about)
    elif known != about:
        different = next(key for key in about if known.get(key) != about[key])
        raise SearchError(f"the study {study.study_name!r} was begun with another {different}; give this search a --study name of its own")


def _cut_half_line(journal: Path) -> None:
    with contextlib.suppress(FileNotFoundError), journal.open("r+b") as file:
        size = file.seek(0, 2)
        if not size:
            return
        file.seek(size - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
