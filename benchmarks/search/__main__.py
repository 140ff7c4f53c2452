"""python -m benchmarks.search: time to the accuracy of plain random search, with and without giving trials up early.

Wanted is the best validation accuracy of all trials but half a point, so that a good trial counts as much as the luckiest one. Ways are
compared in the same orders of the same trials with the same seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy, as in `veleta search`

from models.errors import VeletaError
from training.data.sources import load
from training.quiet import load_keras_quietly
from training.recipe import read_recipe

_TOLERANCE = 0.005
_HEAD = f"{'':<20}{'to wanted':>11}{'saved':>16}{'missed':>8}{'in all':>10}{'epochs':>8}{'best':>8}{'given up: others, verdict':>28}"


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    try:
        _run(arguments)
    except VeletaError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    load_keras_quietly()
    import optuna

    from benchmarks.search.replay import compare
    from benchmarks.search.trainings import LAYERS, train_all
    from training.fitting.progress import Progress

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    settings = [f"max_rows={arguments.rows}", f"epochs={arguments.epochs}", f"patience={arguments.epochs}"]
    source = dataclasses.replace(read_recipe(None, settings), name="benchmark")
    source = dataclasses.replace(source, recipe=dataclasses.replace(source.recipe, layers=LAYERS))
    dataset = load(arguments.data)
    split = dataset.split(source.recipe.seed, source.recipe.max_rows)
    with open(os.devnull, "w") as nowhere:
        progress = Progress(nowhere)
        trainings = train_all(
            source, dataset.problem, split, arguments.trials, arguments.seed, progress, lambda line: print(line, file=sys.stderr)
        )
    best = max(training.value for training in trainings)
    lines = compare(trainings, best - _TOLERANCE, dataset.problem, arguments.orders, arguments.seed)
    rows = split.rows()
    print(f"{arguments.trials} trials of {arguments.epochs} epochs, {rows['train']:,} rows of {dataset.name}, {arguments.orders} orders;")
    print("seconds are the processor's, so that other work on this machine does not count")
    print(f"wanted: validation accuracy {best - _TOLERANCE:.4f} ({rows['validation']:,} rows)\n\n{_HEAD}")
    for line in lines:
        print(
            f"{line.way:<20}{line.reached_seconds:>9.1f} s{f'{line.saved:.1%} ± {line.error:.1%}':>16}{line.missed:>8}"
            f"{line.seconds:>8.1f} s{line.epochs:>8.0f}{line.best:>8.4f}{f'{line.by_others:.1f}, {line.by_verdict:.1f}':>28}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(line) for line in lines], indent=2), encoding="utf-8")


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="few trials of few epochs: that it runs, not what it says")
    parser.add_argument("--trials", type=int, metavar="N")
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument("--rows", type=int, metavar="N", help="of the data set")
    parser.add_argument("--orders", type=int, metavar="N", help="orders of the trials that are played")
    parser.add_argument("--data", default="digits", metavar="NAME|DIR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table there")
    arguments = parser.parse_args(words)
    for name, long, short in (("trials", 60, 7), ("epochs", 15, 3), ("rows", 2000, 300), ("orders", 30, 5)):
        if getattr(arguments, name) is None:
            setattr(arguments, name, short if arguments.short else long)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
