"""The command `veleta search`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from models.commands import add_store, open_store
from models.store import check_name
from training.data.wanted import Wanted, add_data
from training.errors import SearchError
from training.extra import need_the_search_extra
from training.recipe import read_recipe, read_space
from training.search.space import parse_space

_TRIALS = 30
_LARGEST_SEED = 2**32 - 1  # of NumPy's RandomState, which Optuna's samplers draw from


def configure_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE.toml", help="a recipe with a table [search], which says where to look")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="key=value", help="change a value of the recipe")
    parser.add_argument("--method", choices=("bayesian", "grid", "random"), default="bayesian")
    parser.add_argument("--trials", type=int, metavar="N", help=f"trials in all, over all processes (default {_TRIALS}; grid: every point)")
    parser.add_argument("--pruner", choices=("median", "hyperband", "none"), default="median", help="which trials are given up early")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the search; that of the trainings stands in the recipe")
    parser.add_argument("--study", metavar="NAME", help="its name (default: that of the recipe); the same name again goes on, or joins")
    parser.add_argument(
        "--storage",
        metavar="FILE|URL",
        help="where the study is kept: a journal (default: in the store), or postgresql://… for many machines",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the recipe that is found goes (default: STUDY.found.toml)")
    parser.add_argument("--name", help="the model's name in the record (default: that of the data set)")
    add_data(parser)
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def search(arguments: argparse.Namespace) -> None:
    """Search, and write what was found. Whatever can be known to fail is checked before Keras is even loaded."""
    source = read_recipe(arguments.recipe, arguments.set)
    space = parse_space(read_space(arguments.recipe), source)
    if arguments.trials is not None and arguments.trials < 1:
        raise SearchError(f"--trials is {arguments.trials}, expected at least 1")
    if not 0 <= arguments.seed <= _LARGEST_SEED:
        raise SearchError(f"--seed is {arguments.seed}, expected 0 to {_LARGEST_SEED}")
    if arguments.name is not None:
        check_name(arguments.name)
    store = open_store(arguments)
    store.check_writable()
    need_the_search_extra()

    from training.data.sources import load
    from training.quiet import load_keras_quietly

    dataset = load(arguments.data, Wanted.of(arguments))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    load_keras_quietly()
    from training.search.run import Asked, search_for

    study_name = arguments.study or arguments.recipe.stem
    asked = Asked(
        source=source,
        space=space,
        method=arguments.method,
        pruner=arguments.pruner,
        trials=arguments.trials,
        seed=arguments.seed,
        study=study_name,
        storage=arguments.storage or str(store.root / ".veleta" / "searches" / f"{study_name}.journal"),
        out=arguments.out or Path(f"{study_name}.found.toml"),
        name=check_name(arguments.name or dataset.name),
    )
    print(search_for(asked, dataset, store.root, arguments.json))
