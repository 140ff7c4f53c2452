"""A search from beginning to end, as one process does it; others may do the same at the same time."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from training.data.parts import DataSet
from training.data.told import sentences
from training.fitting.progress import Progress
from training.recipe import Source
from training.runs.record import Record
from training.runs.run import Plan, Result
from training.search.found import best_of, best_recipe, ended, facts, table, write_recipe
from training.search.loop import run_trials
from training.search.space import Dimension, has_at_most
from training.search.study import Setup, grid_points, open_study
from training.search.trials import Searching

_TRIALS = 30


@dataclass(frozen=True)
class Asked:
    """What the user wants. `trials` None: every point of a grid, or 30."""

    source: Source
    space: tuple[Dimension, ...]
    method: str
    pruner: str
    trials: int | None
    seed: int
    study: str
    storage: str
    out: Path
    name: str


def search_for(asked: Asked, dataset: DataSet, store: Path, as_json: bool) -> str:
    """Search, write the recipe that is found, and say what came of it. Raises VeletaError."""
    source, progress = asked.source, Progress()
    method = "grid" if has_at_most(asked.trials or _TRIALS, asked.space) else asked.method
    trials = asked.trials or (grid_points(asked.space) if method == "grid" else _TRIALS)
    split = dataset.split(source.recipe.seed, source.recipe.max_rows)
    for sentence in sentences(dataset, split):
        progress.say(sentence)
    problem = split.problem
    direction = "minimize" if problem.task == "regression" else "maximize"
    setup = Setup(asked.study, asked.storage, method, asked.pruner, asked.seed, direction, source.recipe.epochs)
    study = open_study(setup, asked.space, _about(asked, dataset))
    data = dataset.described(split)
    before = ended(study)
    change = f"{'goes on with' if before else 'begins'} {asked.study}: {asked.method} over {', '.join(one.key for one in asked.space)}"
    record = Record.of(store)
    with record.start(Plan("search", asked.name, source.name, source.recipe.to_dict(), source.reasons, data, None, change)) as run:
        progress.say(f"search {asked.study}, run {run.id}: {before} of {trials} trials are done")
        searching = Searching(source, asked.space, problem, split, data, asked.name, record, run.id, progress)
        run_trials(study, searching, trials, run.folder, progress.say)
        found = facts(study)
        run.finish(_result(study, record, found))
    write_recipe(asked.out, best_recipe(study, source))
    return _words({**found, "run": run.id, "recipe": str(asked.out)}, study, as_json)


def _about(asked: Asked, dataset: DataSet) -> dict[str, Any]:
    """What has to be the same for all who search together."""
    space = {one.key: {key: value for key, value in dataclasses.asdict(one).items() if key != "key"} for one in asked.space}
    return {"space": space, "data": dataset.sha256, "recipe": asked.source.recipe.to_dict(), "method": asked.method}


def _result(study: optuna.Study, record: Record, found: dict[str, Any]) -> Result:
    """That of the best trial, if its run is in this record."""
    number = best_of(study).user_attrs.get("run", "")
    here = Path(number).parent == record.folder.resolve()
    best = record.read(int(Path(number).name)).result if here else Result()
    return dataclasses.replace(best, facts={"best_trial": found["best"], "trials": found["trials"], "importances": found["importances"]})


def _words(found: dict[str, Any], study: optuna.Study, as_json: bool) -> str:
    if as_json:
        return json.dumps(found, ensure_ascii=False)
    best, trials = found["best"], ended(study)
    return "\n".join(
        [
            table(study),
            f"{found['recipe']} is written: validation {best['validation']:.4f}, the best of {trials} trials and flattered by that choice",
            f"next: veleta train {found['recipe']}",
        ]
    )
