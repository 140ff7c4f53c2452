"""python -m benchmarks.drift: measure, and print the tables. See `--help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: the products are small, and its threads wait by spinning

import numpy as np

from benchmarks.drift import delays, false_alarms
from benchmarks.drift.cases import CASES, SHORT_CASES
from benchmarks.drift.delays import say
from benchmarks.drift.detectors import Detector, KolmogorovSmirnov, MeanDiscrepancy, PopulationStability, Veleta
from benchmarks.drift.plan import LONG, SHORT, Plan
from benchmarks.drift.river import Adwin, PageHinkley
from benchmarks.drift.table import Report
from benchmarks.drift.world import World
from benchmarks.serving.peers import NotInstalled, python_of
from benchmarks.shelf import find
from models.errors import VeletaError

_PARTS = ("quiet", "delays")
_VARIANTS = ("fp32", "int8")


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    try:
        report = run(arguments.store, arguments.models, arguments.only, SHORT if arguments.short else LONG)
    except VeletaError as error:
        print(f"benchmarks.drift: {error}", file=sys.stderr)
        return 1
    print(report.to_text())
    if arguments.json:
        arguments.json.write_text(json.dumps(report.to_dict(), indent=1), encoding="utf-8")
    return 0


def run(store: Path | None, models: Sequence[str], parts: Sequence[str], plan: Plan) -> Report:
    """False alarms for each model, variant and rate; delays for each model in its smaller variant."""
    rng, report = np.random.default_rng(0), Report()
    for name in models:
        published = find(store, name)
        worlds = {variant: World.of(published, variant, plan.rows, rng) for variant in _VARIANTS}
        if "quiet" in parts:
            for world in worlds.values():
                for per_second in false_alarms.RATES[1:2] if plan.short else false_alarms.RATES:
                    say(f"{world.name}: no drift, {per_second} predictions per second")
                    report.quiet.append(false_alarms.measure(world, per_second, plan, rng))
        if "delays" in parts:
            cases = SHORT_CASES if plan.short else CASES
            rows, fixed = delays.measure(worlds[_VARIANTS[-1]], _detectors(plan, report), cases, plan, rng)
            report.delays += rows
            report.fixed += fixed
    return report


def _detectors(plan: Plan, report: Report) -> list[Detector]:
    detectors: list[Detector] = [Veleta(), PopulationStability(), KolmogorovSmirnov(), MeanDiscrepancy()]
    if plan.short:
        return detectors
    try:
        python_of("river")
    except NotInstalled as error:
        report.absent["river"] = str(error)
        return detectors
    return [*detectors, Adwin(), PageHinkley()]


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=sys.modules["benchmarks.drift"].__doc__)
    parser.add_argument("--short", action="store_true", help="a few runs of a few cases, without river: does everything run?")
    parser.add_argument(
        "--only", nargs="+", choices=_PARTS, default=_PARTS, help="quiet: false alarms; delays: after a shift (default: both)"
    )
    parser.add_argument("--store", type=Path, metavar="DIR", help="the models' folder (default: the cache; what is missing is trained)")
    parser.add_argument("--models", nargs="+", default=["digits", "fashion-mnist"], metavar="NAME", help="of images (default: both)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
