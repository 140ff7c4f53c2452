"""The command `veleta diagnose`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
from pathlib import Path

from models.commands import add_store, open_store
from training.errors import RecipeError, TrainingError

_ROUNDS = 6


def configure_diagnose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE.toml", help="the recipe that does not train as it should")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="key=value", help="change a value of the recipe")
    parser.add_argument("--data", default="digits", metavar="NAME|DIR", help="as for `veleta train`")
    parser.add_argument(
        "--rounds", type=int, default=_ROUNDS, metavar="N", help=f"remedies to try at most (default {_ROUNDS}; 0: only name)"
    )
    parser.add_argument(
        "--updates", type=int, default=0, metavar="N", help="a bound on the updates of each training (default: the recipe's)"
    )
    parser.add_argument("--random", action="store_true", help="beside it, as many trials with remedies drawn at random")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the mended recipe goes (default: RECIPE.mended.toml)")
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def diagnose(arguments: argparse.Namespace) -> None:
    """Train, name what is wrong, and keep the remedies that are proved to help. Nothing is published."""
    from training.data.sources import load
    from training.quiet import load_keras_quietly
    from training.recipe import read_recipe

    source = read_recipe(arguments.recipe, arguments.set)
    if arguments.rounds < 0 or arguments.updates < 0:
        raise TrainingError("--rounds and --updates count from 0; leave them out for the usual")
    store = open_store(arguments)
    dataset = load(arguments.data)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    load_keras_quietly()
    from training.diagnosis.repair import Repairer
    from training.diagnosis.report import as_data, as_text, mended
    from training.fitting.progress import Progress
    from training.networks.base import with_base

    progress = Progress()
    recipe = with_base(source.recipe, store)
    if arguments.updates:
        recipe = dataclasses.replace(recipe, max_updates=min(recipe.max_updates, arguments.updates))
    split = dataset.split(recipe.seed, recipe.max_rows)
    done = Repairer(dataset.problem, progress, lambda trial: progress.say(str(trial)), arguments.rounds).repair(recipe, split)
    by_chance = None
    if arguments.random:
        repairer = Repairer(dataset.problem, progress, lambda trial: progress.say(f"at random: {trial}"), len(done.trials) - 1)
        by_chance = repairer.repair_at_random(recipe, split, recipe.seed)
    text, out = mended(source, done), arguments.out or arguments.recipe.with_suffix(".mended.toml")
    if done.changes:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RecipeError(f"{out} cannot be written: {error.strerror}; name another file with --out") from error
    if arguments.json:
        print(json.dumps(as_data(done, by_chance, text, str(out)), ensure_ascii=False))
    else:
        print(as_text(done, by_chance, str(out)))
