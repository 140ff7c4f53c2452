"""The command of what is watched: `incidents`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from models.commands import add_store
from models.configuration import state_root, store_root
from monitoring.accuracy.estimation import Estimate
from monitoring.accuracy.wilson import Interval
from monitoring.incidents.files import Incidents
from monitoring.incidents.incident import Incident, IncidentError
from monitoring.incidents.page import render
from monitoring.incidents.wording import duration, in_measure, moment

_COLUMNS = "{:<21}{:<18}{:<24}{:<16}{:<26}{:<6}{}"
#: Signals that stand in a line of the table.
_NAMED = 2


def configure_incidents(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("model", metavar="NAME[/VERSION]", nargs="?", help="only those of this model")
    parser.add_argument("--state", metavar="DIR", help="the folder of the server's state (VELETA_STATE, default .veleta in the store)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--show", metavar="ID", help="print one incident")
    does.add_argument("--html", metavar=("ID", "FILE"), nargs="+", help="write the page of one incident to FILE, without one to stdout")
    does.add_argument("--seen", metavar="ID", help="mark one incident, or `all`, as seen: what is normal now is normal from then on")


def incidents(arguments: argparse.Namespace) -> None:
    store = store_root(arguments.store, os.environ)
    kept = Incidents(state_root(arguments.state, store, os.environ) / "incidents")
    if arguments.show:
        _show(kept, arguments.show, arguments.json)
    elif arguments.html:
        _write_page(kept, *arguments.html)
    elif arguments.seen:
        _mark(kept, arguments.seen)
    else:
        _list(kept, arguments.model, arguments.json)


def _list(kept: Incidents, model: str | None, as_json: bool) -> None:
    found, damaged = _readable(kept)
    chosen = [one for one in found if model in (None, one.model, f"{one.model}/{one.version}")]
    if as_json:
        print(json.dumps({"incidents": [_with_state(kept, one) for one in chosen]}, indent=2, ensure_ascii=False))
    elif chosen:
        print(_COLUMNS.format("since (UTC)", "model", "signals", "cause", "accuracy", "state", "id"))
        for one in chosen:
            print(_COLUMNS.format(*_row(kept, one)))
    else:
        print(f"no incident{f' of {model}' if model else ''} in {kept.folder}; one is written when an alarm is raised")
    if damaged:
        raise damaged[0]


def _readable(kept: Incidents) -> tuple[list[Incident], list[IncidentError]]:
    found, damaged = [], []
    for name in kept.names():
        try:
            found.append(kept.read(name))
        except IncidentError as error:
            damaged.append(error)
    return found, damaged


def _row(kept: Incidents, one: Incident) -> tuple[str, ...]:
    names = [signal.name for signal in one.raised]
    signals = ", ".join(names[:_NAMED]) + (f" +{len(names) - _NAMED}" if len(names) > _NAMED else "")
    state = "seen" if kept.is_seen(one.id) else "open"
    cut = [moment(one.since).removesuffix(" UTC"), f"{one.model}/{one.version}", signals, one.verdict.cause, accuracy_words(one), state]
    return (*(_shorter(text, width) for text, width in zip(cut, (20, 17, 23, 15, 25, 5), strict=True)), one.id)


def _shorter(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def accuracy_words(one: Incident) -> str:
    """How right the answers were and are now, by labels if there are any, else as estimated."""
    before, now = one.accuracy.before, one.accuracy.labelled or one.accuracy.estimated
    if now is None:
        return "not known"
    measure = one.accuracy.measure
    old = f"{in_measure(measure, before.value)} → " if before else ""
    name = "" if measure == "accuracy" else "MAE "
    return f"{name}{old}{in_measure(measure, now.value)} {'by labels' if one.accuracy.labelled else 'est.'}"


def _show(kept: Incidents, name: str, as_json: bool) -> None:
    one = kept.read(name)
    print(json.dumps(_with_state(kept, one), indent=2, ensure_ascii=False) if as_json else _describe(one, kept.is_seen(name)))


def _with_state(kept: Incidents, one: Incident) -> dict[str, Any]:
    return {**dataclasses.asdict(one), "seen": kept.is_seen(one.id)}


def _describe(one: Incident, seen: bool) -> str:
    found, measure = one.accuracy, one.accuracy.measure
    what = "accuracy" if measure == "accuracy" else "mean error"
    spreads = {name: _spread(measure, part) if part else "" for name, part in (("now", found.estimated), ("labels", found.labelled))}
    lines = [
        f"{one.model}/{one.version} ({one.variant}) has changed since {moment(one.since)}{', seen' if seen else ''}",
        f"noticed after {duration(one.raised_at - one.since)} and {one.noticed_after:,} predictions; {one.predictions:,} since the change",
        "",
        f"{one.verdict.confidence} cause: {one.verdict.cause}",
        f"  {one.verdict.evidence}",
        f"  {one.verdict.remedy}",
        "",
        f"{f'{what} before':<18}{in_measure(measure, found.before.value) if found.before else 'not known'}",
        f"expected now      {spreads['now'] or 'not enough data'}",
        f"by labels now     {spreads['labels'] or 'no labels yet'}",
        "",
        *(f"{signal.name:<18}{signal.direction}" for signal in one.raised),
    ]
    return "\n".join(lines)


def _spread(measure: str, found: Interval | Estimate) -> str:
    value, lower, upper = (in_measure(measure, number) for number in (found.value, found.lower, found.upper))
    return f"{value} ({lower} to {upper})"


def _write_page(kept: Incidents, name: str, file: str = "", *more: str) -> None:
    if more:
        raise IncidentError(f"--html takes an ID and a FILE, not also {more[0]!r}")
    page = render(kept.read(name))
    if not file:
        print(page)
        return
    try:
        Path(file).write_text(page, encoding="utf-8")
    except OSError as error:
        raise IncidentError(f"{file} cannot be written: {error.strerror}; choose another file") from error
    print(f"{file} is written", file=sys.stderr)


def _mark(kept: Incidents, name: str) -> None:
    names = [one for one in kept.names() if not kept.is_seen(one)] if name == "all" else [name]
    for one in names:
        kept.see(one)
        print(f"{one} is seen; the server takes what is normal now for normal from its next tick on")
    if not names:
        print("no incident is open")
