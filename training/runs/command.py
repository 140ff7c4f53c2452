"""The command `veleta runs`: list, show, compare, and the page of the record."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from models.commands import add_store, open_store
from training.errors import RunError
from training.runs.record import Record
from training.runs.run import Run
from training.runs.words import describe_comparison, describe_run, table


def configure_runs(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("name", metavar="NAME", nargs="?", help="only those of this model")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--show", metavar="ID", type=int, help="print one run")
    does.add_argument("--compare", metavar=("A", "B"), type=int, nargs=2, help="what changed from run A to run B, and what came of it")
    does.add_argument("--html", metavar=("FILE", "ID"), nargs="+", help="write a page about these runs, or about all, to FILE")


def runs(arguments: argparse.Namespace) -> None:
    record = Record.of(open_store(arguments).root)
    if arguments.show is not None:
        run = record.read(arguments.show)
        print(_json(run_json(run)) if arguments.json else describe_run(run, children(record, run)))
    elif arguments.compare:
        before, after = (record.read(number) for number in arguments.compare)
        print(_json(comparison_json(before, after)) if arguments.json else describe_comparison(before, after))
    elif arguments.html:
        _write_page(record, arguments.name, *arguments.html)
    else:
        _list(record, arguments.name, arguments.json)


def children(record: Record, run: Run) -> list[Run]:
    """The runs that have this one as their parent, oldest first."""
    return [other for other in reversed(record.runs()[0]) if other.plan.parent == run.id]


def run_json(run: Run) -> dict[str, Any]:
    """A run as `--json` prints it."""
    return {**dataclasses.asdict(run), "fits": [{**dataclasses.asdict(fit), "best": fit.best} for fit in run.fits]}


def comparison_json(before: Run, after: Run) -> dict[str, Any]:
    """What changed and what came of it, as `--json` prints it."""
    from training.runs.changes import changes, difference

    found = {part: difference(before, after, part) for part in ("validation", "test")}
    return {
        "before": before.id,
        "after": after.id,
        "changes": [dataclasses.asdict(change) for change in changes(before, after)],
        "accuracy": {part: {**dataclasses.asdict(one), "words": one.words} for part, one in found.items() if one},
    }


def _list(record: Record, name: str | None, as_json: bool) -> None:
    found, damaged = record.runs(name)
    if as_json:
        print(_json({"runs": [run_json(run) for run in found]}))
    elif found:
        print(table(found))
    else:
        print(f"no run{f' of {name}' if name else ''} in {record.folder}; one is recorded by every `veleta train`")
    for error in damaged:
        print(f"veleta: {error}", file=sys.stderr)


def _write_page(record: Record, name: str | None, file: str, *numbers: str) -> None:
    from training.runs.report import render

    if wrong := [number for number in numbers if not number.isdecimal()]:
        raise RunError(f"{wrong[0]!r} is not the id of a run; write --html FILE ID…, ids as `veleta runs` lists them")
    everything = record.runs()[0][::-1]
    chosen = [record.read(int(number)) for number in numbers] or [run for run in everything if name in (None, run.plan.name)]
    if not chosen:
        raise RunError(f"there is no run{f' of {name}' if name else ''} in {record.folder}; one is recorded by every `veleta train`")
    try:
        Path(file).write_text(render(chosen, everything), encoding="utf-8")
    except OSError as error:
        raise RunError(f"{file} cannot be written: {error.strerror}; choose another file") from error
    print(f"{file} is written: {len(chosen)} run{'s' if len(chosen) > 1 else ''}", file=sys.stderr)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
