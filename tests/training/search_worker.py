"""A process that searches, with trials that do nothing but take their time.

python -m tests.training.search_worker STORAGE RECORD TRIALS SECONDS METHOD
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import optuna

from models.manifest import Dataset
from tests.training.study_for_tests import SPACE, setup
from training.runs.record import Record
from training.runs.run import Plan
from training.search.loop import run_trials
from training.search.study import RUN, open_study


def main(storage: str, folder: str, trials: str, seconds: str, method: str) -> None:
    record = Record(Path(folder))

    def trial_of(trial: optuna.Trial) -> float:
        values = {dimension.key: dimension.suggest(trial) for dimension in SPACE}
        with record.start(Plan("trial", "none", "", values, {}, Dataset("none", "", {}))) as run:
            trial.set_user_attr(RUN, run.folder)
            print(trial.number, flush=True)
            time.sleep(float(seconds))
        return float(values["batch_size"]) / (1 + float(values["learning_rate"]))

    study = open_study(setup(storage, method), SPACE, {"space": "that of the tests"})
    with record.start(Plan("search", "none", "", {}, {}, Dataset("none", "", {}))) as search:
        run_trials(study, trial_of, int(trials), search.folder, lambda line: print(line, file=sys.stderr, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
