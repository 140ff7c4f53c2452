"""The room's commands: `train` here, the others from the rooms that do their work."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from models.commands import add_store, open_store
from models.store import check_name
from training import interruption
from training.data.wanted import Wanted, add_data
from training.diagnose import configure_diagnose, diagnose
from training.errors import TrainingError
from training.extra import need_the_extra
from training.importing.command import configure_import, import_
from training.publishing.told import result_of, summary_of
from training.refreshing.command import configure_refresh, refresh
from training.runs.command import configure_runs, runs
from training.search.command import configure_search, search

__all__ = [
    "configure_diagnose",
    "configure_import",
    "configure_refresh",
    "configure_runs",
    "configure_search",
    "configure_train",
    "diagnose",
    "import_",
    "refresh",
    "runs",
    "search",
    "train",
]


def configure_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", nargs="?", type=Path, metavar="RECIPE.toml", help="what to train (default: the founding network, as the data needs it)"
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="key=value", help="change a value of the recipe, as in epochs=10"
    )
    parser.add_argument("--name", help="the model's name (default: that of the data set)")
    add_data(parser)
    parser.add_argument("--folds", type=int, metavar="K", help="cross-validate on K folds first, to know how much of a score is luck")
    parser.add_argument("--find-learning-rate", action="store_true", help="take the learning rate that a range test suggests")
    parser.add_argument("--find-batch-size", action="store_true", help="take the batch size from which on more brings no more speed")
    parser.add_argument("--devices", type=int, default=0, metavar="N", help="spread each batch over N devices (default: all GPUs)")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="also write event files for TensorBoard")
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def train(arguments: argparse.Namespace) -> None:
    """Train, publish, and say what came of it. Whatever can be known to fail is checked before Keras is even loaded."""
    from training.data.sources import load
    from training.quiet import load_keras_quietly
    from training.recipe import default_recipe, read_recipe

    started = time.monotonic()
    source = read_recipe(arguments.recipe, arguments.set) if arguments.recipe else None
    if arguments.name is not None:
        check_name(arguments.name)
    store = open_store(arguments)
    store.check_writable()
    need_the_extra()
    dataset = load(arguments.data, Wanted.of(arguments))
    problem = dataset.problem
    taken = problem.input
    usual = default_recipe(arguments.data, taken.kind, problem.task, len(taken.row_shape))
    source = source or read_recipe(usual, arguments.set)
    name = check_name(arguments.name or dataset.name)
    if arguments.folds is not None:
        dataset.folds(arguments.folds, source.recipe.seed, source.recipe.max_rows)  # raises if they cannot be made
    interruption.listen()

    load_keras_quietly(arguments.devices)
    from training.fitting.progress import Progress
    from training.train import train as run

    try:
        progress = _heard(Progress(), arguments.tensorboard)
        trained = run(source, dataset, name, store, progress, _to_find(arguments), arguments.folds or 0, arguments.devices)
    except OSError as error:
        raise TrainingError(f"training cannot use its work folder: {error}; set TMPDIR to one with room") from error
    result, folds = result_of(trained.published, store, time.monotonic() - started), trained.folds
    if folds:
        result["folds"] = dataclasses.asdict(folds)
    more = [str(folds)] if folds else []
    print(json.dumps(result, ensure_ascii=False) if arguments.json else summary_of(trained.published, result, *more))


def _to_find(arguments: argparse.Namespace) -> list[str]:
    """The batch size first: the learning rate belongs to it."""
    wanted = {"batch_size": arguments.find_batch_size, "learning_rate": arguments.find_learning_rate}
    return [key for key, asked in wanted.items() if asked]


def _heard(progress: Any, folder: Path | None) -> Any:
    if folder is None:
        return progress
    from training.runs.event_files import EventFiles

    return progress.heard_by(EventFiles(folder))
