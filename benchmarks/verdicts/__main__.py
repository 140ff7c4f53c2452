"""python -m benchmarks.verdicts: what causes do alarms name, when it is known what has changed?

Traffic is drawn from the test rows, which are the reference as well, first as it was and then changed. In each run every row has a weight
of its own (D. B. Rubin's Bayesian bootstrap), because the world is not the sample that was taken of it. The whole path runs, from counts
by way of the evidence to the incident: only the time is made up. The verdict is looked at when the alarm is raised, and again when eight
times as many predictions have come.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.shelf import find, unseen_rows
from benchmarks.verdicts.changes import Change, changes
from benchmarks.verdicts.run import MORE, RATE, run
from benchmarks.verdicts.table import Line, summary, to_text
from benchmarks.verdicts.world import Model, World, profiled
from models.errors import VeletaError


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    try:
        published = find(arguments.store, arguments.model)
        model = Model.of(published, arguments.variant or published.manifest.default_variant, *unseen_rows(published))
    except VeletaError as error:
        print(f"benchmarks.verdicts: {error}", file=sys.stderr)
        return 1
    shares, runs = ((1.0,), 2) if arguments.short else ((1.0, 0.3), arguments.runs)
    print(f"{published.folder.parent.name}/{published.manifest.version} {model.variant}, {runs} runs, {RATE} predictions a tick of 5 s\n")
    print(f"{'change':<29}{'share':>6}  {'is':<16}{'after':>9}  {'when noticed':<44}with {MORE} times as many predictions")
    lines = measure(model, changes(), shares, runs, print)
    false = sum(outcome.false for line in lines for outcome in line.outcomes)
    found = {"at the alarm": summary(lines, 0), "later": summary(lines, 1)}
    print("\n" + "\n\n".join(to_text(part, title) for title, part in found.items()))
    print(f"\nAlarms before anything had changed: {false} of {sum(len(line.outcomes) for line in lines)} runs")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


def measure(model: Model, chosen: Sequence[Change], shares: Sequence[float], runs: int, say: Callable[[str], None]) -> list[Line]:
    """Every change in every share of the traffic, each run in a world of its own."""
    rngs = [np.random.default_rng(seed) for seed in range(runs)]
    subject = profiled(model)
    worlds = [World.make(model, subject, rng) for rng in rngs]
    lines = [Line(change, share) for change in chosen for share in (shares if not change.relabel else (1.0,))]
    for line in lines:
        for world, rng in zip(worlds, rngs, strict=True):
            line.outcomes.append(run(world, line.change, line.share, rng, labelled=line.change.relabel is not None))
        say(line.to_text())
    return lines


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--store", type=Path, metavar="DIR", help="a store with the model; without it, one that is trained once")
    parser.add_argument("--model", default="digits", help="the model (default digits)")
    parser.add_argument("--variant", default="", help="the variant (default: the one that is served)")
    parser.add_argument("--runs", type=int, default=10, help="runs of each change (default 10)")
    parser.add_argument("--short", action="store_true", help="few runs of each change in all of the traffic, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
