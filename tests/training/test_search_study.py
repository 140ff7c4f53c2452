"""Several processes on one study, killed at any moment: nothing that was finished is lost, and what was begun is tried again.

The trials do nothing, so that many can be had; `test_search` has real ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from tests import postgresql
from tests.training.recorded import PLAN
from tests.training.runs import ROOT
from tests.training.study_for_tests import SPACE, setup
from training.errors import RecipeError, SearchError
from training.runs.record import Record
from training.search.loop import run_trials
from training.search.space import Range
from training.search.study import RUN, KernelLock, begin, give_back, join, open_study, revive

pytestmark = pytest.mark.training
ABOUT = {"space": "that of the tests"}


@pytest.fixture(scope="module", params=["journal", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "journal":
        yield str(tmp_path_factory.mktemp("journal") / "study.journal")
        return
    programs = postgresql.find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with postgresql.running(programs) as (url, _):
        yield url


def worker(storage: str, record: Path, trials: int, seconds: float, method: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.training.search_worker", storage, str(record), str(trials), str(seconds), method]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_process_loses_nothing(storage: str, tmp_path: Path) -> None:
    """Two search a grid of ten points together; one is killed in the middle of a trial, and the other tries that one again."""
    doomed, other = (worker(storage, tmp_path / "runs", 10, seconds, "grid") for seconds in (600, 0.05))
    begun = int(doomed.stdout.readline())  # type: ignore[union-attr]
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=60)
    _, err = other.communicate(timeout=200)
    assert other.returncode == 0, err
    last = worker(storage, tmp_path / "runs", 10, 0, "grid")
    _, more = last.communicate(timeout=200)
    assert last.returncode == 0, more

    study = optuna.load_study(study_name="shared", storage=open_study(setup(storage, "grid"), SPACE, ABOUT)._storage)
    states = Counter(trial.state for trial in study.trials)
    assert states == {TrialState.COMPLETE: 10, TrialState.FAIL: 1}
    assert study.trials[begun].state == TrialState.FAIL
    assert f"trial {begun} was interrupted: it is tried again" in err + more
    done = {tuple(sorted(trial.params.items())) for trial in study.trials if trial.state == TrialState.COMPLETE}
    assert len(done) == 10  # every point of the grid, that of the dead process too
    assert study.best_value == pytest.approx(32 / 1.1)
    runs = [run for run in Record(tmp_path / "runs").runs()[0] if run.plan.kind == "trial"]
    assert Counter(run.state for run in runs) == {"done": 10, "interrupted": 1}


def test_who_joins_searches_the_same(storage: str) -> None:
    open_study(setup(storage, "grid"), SPACE, ABOUT)
    with pytest.raises(SearchError, match="the study 'shared' was begun with another space; give this search a --study name of its own"):
        open_study(setup(storage, "grid"), SPACE, {"space": "another"})


@pytest.mark.parametrize("place", ["postgresql://me:secret@nowhere.invalid:1/db", "mongo://here", "/proc/none/study.journal"])
def test_a_storage_that_is_not_there_is_one_sentence(place: str) -> None:
    with pytest.raises(SearchError, match=r"^the study cannot be kept in .*; give another --storage$") as caught:
        open_study(setup(place, "bayesian"), SPACE, ABOUT)
    assert "secret" not in str(caught.value)


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    """As a full disk leaves it, or a machine that lost its power."""
    journal = tmp_path / "study.journal"
    study = open_study(setup(str(journal), "random"), SPACE, ABOUT)
    run_trials(study, lambda trial: float(SPACE[0].suggest(trial)), 3, "", print)
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-7])
    again = open_study(setup(str(journal), "random"), SPACE, ABOUT)
    run_trials(again, lambda trial: float(SPACE[0].suggest(trial)), 4, "", print)
    assert len(again.get_trials(states=(TrialState.COMPLETE,))) >= 3
    assert len(open_study(setup(str(journal), "random"), SPACE, ABOUT).trials) == len(again.trials)


def test_the_lock_is_free_when_its_holder_is_dead(tmp_path: Path) -> None:
    holds = (
        "import sys, time; from pathlib import Path; from training.search.study import KernelLock\n"
        "KernelLock(Path(sys.argv[1])).acquire() and print('held', flush=True); time.sleep(600)"
    )
    command = [
        sys.executable,
        "-c",
        holds.replace("KernelLock(Path(sys.argv[1])).acquire()", "(lock := KernelLock(Path(sys.argv[1]))).acquire()"),
    ]
    with subprocess.Popen([*command, str(tmp_path / "journal")], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
    lock = KernelLock(tmp_path / "journal")
    assert lock.acquire()  # would wait for ever
    lock.release()


def test_a_space_where_everything_fails_ends_the_search(tmp_path: Path) -> None:
    def fails(trial: optuna.Trial) -> float:
        raise RecipeError("layers.0 cannot be built")

    study = open_study(setup(str(tmp_path / "journal"), "random"), SPACE, ABOUT)
    with pytest.raises(SearchError, match=r"5 trials failed and none succeeded; mend the space: layers\.0 cannot be built"):
        run_trials(study, fails, 100, "", print)
    assert len(study.trials) == 5


def test_a_trial_without_a_run_is_tried_again_when_nobody_else_searches(tmp_path: Path) -> None:
    """Its process was killed in the moment between the two."""
    record, storage = Record(tmp_path / "runs"), str(tmp_path / "journal")
    study = open_study(setup(storage, "random"), SPACE, ABOUT)
    with record.start(PLAN) as me, record.start(PLAN) as other:
        join(study, me.folder)
        join(study, other.folder)
        study.ask()
        assert revive(study, me.folder) == []
    assert revive(study, me.folder) == [0]
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]


def test_a_trial_is_alive_until_it_is_told(tmp_path: Path) -> None:
    """Its run has ended by then; and one that is tried again is not dead for what the dead process noted of it."""
    record, storage = Record(tmp_path / "runs"), str(tmp_path / "journal")
    study = open_study(setup(storage, "random"), SPACE, ABOUT)
    with record.start(PLAN) as other:
        with record.start(PLAN) as me:
            join(study, me.folder)
            join(study, other.folder)
            begin(trial := study.ask(), me.folder)
            with record.start(PLAN) as run:
                trial.set_user_attr(RUN, run.folder)
            assert revive(study, other.folder) == []
        assert revive(study, other.folder) == [0]
        with record.start(PLAN) as again:
            join(study, again.folder)
            assert study.ask().number == 1
            assert revive(study, other.folder) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_search_that_is_told_to_stop_leaves_its_trial_to_the_next(storage: str, tmp_path: Path, stop: type[BaseException]) -> None:
    """Of a grid no point is missing in the end."""

    def stopped(trial: optuna.Trial) -> float:
        _ = [dimension.suggest(trial) for dimension in SPACE]
        raise stop

    place = storage if "://" in storage else str(tmp_path / "journal")
    alone = dataclasses.replace(setup(place, "grid"), name=stop.__name__)
    study = open_study(alone, SPACE, ABOUT)
    with pytest.raises(stop):
        run_trials(study, stopped, 10, "", print)
    points = math.prod(len(dimension.grid()) for dimension in SPACE)
    run_trials(study, lambda trial: sum(float(dimension.suggest(trial)) for dimension in SPACE), points, "", print)
    done = {tuple(trial.params.items()) for trial in study.get_trials(states=(TrialState.COMPLETE,))}
    assert len(done) == points


@pytest.mark.parametrize("method", ["random", "bayesian"])
def test_nobody_tries_what_was_tried(tmp_path: Path, method: str) -> None:
    """Neither who joins nor who goes on; and what is drawn does not depend on how many share the work."""

    def searched(name: str, *shares: int) -> list[float]:
        together = dataclasses.replace(setup(str(tmp_path / name), method), pruner="none")
        for share in shares:
            study = open_study(together, [rates], ABOUT)
            run_trials(study, lambda trial: float(rates.suggest(trial)), share, "", print)
        return [trial.params["learning_rate"] for trial in study.trials]

    rates = Range("learning_rate", 0.001, 1.0, None, True)
    alone, shared = searched("alone", 8), searched("shared", 3, 4, 8)
    assert alone == shared
    assert len(set(shared)) == 8


def test_a_trial_that_others_took_for_dead_ends_nobody(tmp_path: Path) -> None:
    """As when this machine has slept: what was trained meanwhile is theirs."""
    study = open_study(setup(str(tmp_path / "journal"), "random"), SPACE, ABOUT)
    said: list[str] = []

    def slept(trial: optuna.Trial) -> float:
        value = float(SPACE[0].suggest(trial))
        if trial.number < 2:
            give_back(study, trial.number)
        if trial.number == 1:
            trial.report(value, 0)
        return value

    run_trials(study, slept, 3, "", said.append)
    assert said == [f"another search took trial {n} for interrupted, as when this machine has slept: it is tried again" for n in (0, 1)]
    assert Counter(trial.state for trial in study.trials) == {TrialState.COMPLETE: 3, TrialState.FAIL: 2}


def test_a_trial_that_kills_its_process_is_not_tried_for_ever(tmp_path: Path) -> None:
    storage, runs = str(tmp_path / "journal"), tmp_path / "runs"
    for _ in range(4):
        process = worker(storage, runs, 1, 600, "grid")
        with contextlib.suppress(ValueError):
            int(process.stdout.readline())  # type: ignore[union-attr]
        process.kill()
        process.communicate(timeout=60)
    study = open_study(setup(storage, "grid"), SPACE, ABOUT)
    tried = [trial.params for trial in study.trials]
    assert tried[0] == tried[1] == tried[2] != tried[3]
