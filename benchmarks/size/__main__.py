"""python -m benchmarks.size: how accurate do small networks become on Fashion-MNIST in ten minutes on two cores?

Each recipe is trained from several seeds, which part the rows and start the weights in other ways, and beside it the founding network,
which is a hundred times as large, as it is and with binary kernels. The test part is that of the data set and is looked at once, by the
exported file. What was trained is kept in benchmarks/.cache/size by the content of its recipe, so that a benchmark that was cut off goes
on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.size.entries import BASELINES, ENTRIES, Entry
from benchmarks.size.run import Outcome, kept, outcome, run
from models.errors import VeletaError
from training.data.parts import DataSet
from training.data.sources import load
from training.quiet import load_keras_quietly

if TYPE_CHECKING:
    from benchmarks.size.table import Line


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    load_keras_quietly()  # before whatever imports Keras: how TensorFlow computes is settled by then
    from benchmarks.size.table import to_text

    try:
        lines = measure(arguments, load(arguments.data))
    except VeletaError as error:
        print(f"benchmarks.size: {error}", file=sys.stderr)
        return 1
    if not lines:
        print("benchmarks.size: nothing has been trained here yet; leave --kept out", file=sys.stderr)
        return 1
    print(to_text(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps([line.to_dict() for line in lines], indent=1), encoding="utf-8")
    return 0


def measure(arguments: argparse.Namespace, dataset: DataSet) -> list[Line]:
    """A line for each recipe of which there is an outcome."""
    from benchmarks.size.table import Line

    lines = []
    for entry in (*ENTRIES, *BASELINES):
        if entry.name not in arguments.recipes:
            continue
        seeds = range(arguments.baseline_seeds if entry in BASELINES else arguments.seeds)
        found = [_outcome(entry, seed, dataset, arguments) for seed in seeds]
        if outcomes := tuple(one for one in found if one is not None):
            lines.append(Line(entry, outcomes))
    return lines


def _outcome(entry: Entry, seed: int, dataset: DataSet, arguments: argparse.Namespace) -> Outcome | None:
    recipe = entry.recipe(seed, arguments.short)
    if arguments.kept:
        return kept(recipe, dataset)
    made = run(recipe, dataset) if arguments.short else outcome(recipe, dataset)
    print(f"{entry.name}, seed {seed}: {made.accuracy:.2%} after {made.seconds:,.0f} s", file=sys.stderr, flush=True)
    return made


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.size", description=(__doc__ or "").split("\n\n")[0])
    names = [entry.name for entry in (*ENTRIES, *BASELINES)]
    parser.add_argument("--recipes", nargs="+", choices=names, default=names, help="which of them (default all)")
    parser.add_argument("--seeds", type=int, metavar="N", help="trainings of each (default 3)")
    parser.add_argument(
        "--baseline-seeds", type=int, metavar="N", default=1, help="trainings of the founding network, as it is and binary (default 1)"
    )
    parser.add_argument("--kept", action="store_true", help="train nothing, show what was trained before")
    parser.add_argument("--short", action="store_true", help="a few updates of each, to see that it works; nothing is kept")
    parser.add_argument("--data", default="fashion-mnist", metavar="NAME|DIR", help="images of 28×28 (default fashion-mnist)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    arguments = parser.parse_args(words)
    if arguments.seeds is None:
        arguments.seeds = 1 if arguments.short else 3
    return arguments


if __name__ == "__main__":
    sys.exit(main())
