"""python -m benchmarks.serving: measure, and print one table. See `--help`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.processors import processors
from app.settings import Settings
from benchmarks.serving import anchors, goals, peers, veleta
from benchmarks.serving.cells import Turns
from benchmarks.serving.load import NoWrk, find_wrk
from benchmarks.serving.model import Model, find
from benchmarks.serving.peers import PEERS, NotInstalled, python_of_all
from benchmarks.serving.plan import LONG, SHORT, Plan
from benchmarks.serving.processes import NotServing
from benchmarks.serving.table import Report
from models.errors import VeletaError

_ALL = ("veleta", *PEERS)
_SHORT = ("veleta", "asgi", "flask")


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    plan = SHORT if arguments.short else LONG
    chosen = arguments.only or (_SHORT if arguments.short else _ALL)
    try:
        find_wrk()
        model = find(arguments.store, arguments.model, arguments.variant)
        if any(name in PEERS and PEERS[name].own_environment for name in chosen) and (python := python_of_all()) != Path(sys.executable):
            os.execv(python, [str(python), "-m", "benchmarks.serving", *(sys.argv[1:] if words is None else words)])
        report = run(model, chosen, plan)
    except (NoWrk, NotInstalled, NotServing, VeletaError, subprocess.SubprocessError) as error:
        print(f"benchmarks.serving: {error}", file=sys.stderr)
        return 1
    print(report.to_text())
    if arguments.json:
        arguments.json.write_text(json.dumps(report.to_dict(), indent=1), encoding="utf-8")
    return 0


def run(model: Model, chosen: Sequence[str], plan: Plan) -> Report:
    """The anchors and all servers in turns; then what only Veleta promises."""
    cores = processors()
    absent: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        turns = dict(_started(stack, model, chosen, absent))
        for one in turns.values():
            one.warm_up(plan.warm_up)
        measured = []
        for number in range(plan.rounds):
            say(f"round {number + 1} of {plan.rounds}")
            measured.append(anchors.measure(model, cores, plan.turn))
            for one in list(turns.values())[:: -1 if number % 2 else 1]:
                one.take(plan.turn)
        found = {name: one.served() for name, one in turns.items()}
    report = Report(model, anchors.middle(measured), found.pop("veleta", None), peers=found, absent=absent)
    if report.veleta:
        report.manners = veleta.manners(model, plan, report.veleta.cells["binary_32"].per_second, say)
        report.goals = [
            *goals.speed(report.anchors, report.veleta, found),
            *goals.manners(report.anchors, report.veleta, found, report.manners, Settings().max_queue_rows),
        ]
    return report


def say(text: str) -> None:
    """Progress, on the other stream than the table."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _started(stack: contextlib.ExitStack, model: Model, chosen: Sequence[str], absent: dict[str, str]) -> Iterator[tuple[str, Turns]]:
    """The chosen servers, by name, which run until the stack ends; of a peer that does not, `absent` says why."""
    if "veleta" in chosen:
        yield "veleta", Turns(stack.enter_context(veleta.running(model)), veleta.posts(model))
    for name in PEERS:
        if name in chosen:
            say(f"{PEERS[name].title} starts")
            try:
                yield name, stack.enter_context(peers.running(name, model, processors()))
            except (NotInstalled, NotServing, OSError, subprocess.SubprocessError) as error:
                absent[name] = str(error)


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description="Veleta beside other servers and the machine's limit."
    )
    parser.add_argument("--short", action="store_true", help="a minute and a half, with what needs nothing installed: does everything run?")
    parser.add_argument("--only", type=_names, metavar="NAMES", help=f"some of {','.join(_ALL)}")
    parser.add_argument("--store", type=Path, metavar="DIR", help="the models' folder (default: the founding network, trained once)")
    parser.add_argument("--model", default="", metavar="NAME", help="the model (default: the first of the store)")
    parser.add_argument("--variant", default="int8", help="its variant (default int8)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args(words)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(_ALL):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: known are {', '.join(_ALL)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
