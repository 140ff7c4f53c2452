"""The command `veleta refresh`."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import time
from pathlib import Path

from models.commands import add_store, open_store
from models.configuration import events_place, find, read_file, state_root
from models.store import Store, check_name
from monitoring.counts.examples import Example, Examples
from monitoring.counts.label_log import LabelLog
from training import interruption
from training.data.wanted import Wanted, add_looks
from training.errors import RefreshError, TrainingError
from training.extra import need_the_extra
from training.publishing.told import result_of, summary_of

_AS_IN = "2027-01-31 or 2027-01-31T08:00Z"


def configure_refresh(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the model; its live version is trained again")
    parser.add_argument("--data", metavar="NAME|DIR|FILE", help="where its original data is (default: where it was)")
    parser.add_argument("--target", metavar="COLUMN", help="with --data: the column of a table that is to be predicted (default: the last)")
    add_looks(parser)
    when = f"learn from what was answered since then, as in {_AS_IN}"
    parser.add_argument("--since", type=_moment, default=0.0, metavar="TIME", help=when)
    parser.add_argument("--devices", type=int, default=0, metavar="N", help="spread each batch over N devices (default: all GPUs)")
    add_store(parser)
    parser.add_argument("--state", metavar="DIR", help="the folder of the server's state (VELETA_STATE, default .veleta in the store)")
    parser.add_argument("--events", metavar="FILE|URL", help="the event store (VELETA_EVENTS, default events.db in the state folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def refresh(arguments: argparse.Namespace) -> None:
    """Train again, publish, and say what came of it. Whatever can be known to fail is checked before Keras is even loaded."""
    from training.quiet import load_keras_quietly
    from training.refreshing.again import find_again

    started = time.monotonic()
    name, store, wanted = check_name(arguments.name), open_store(arguments), Wanted.of(arguments)
    if wanted.said() and not arguments.data:
        raise RefreshError("--target, --task and --kind say what --data is; give that as well")
    store.open(name)
    store.check_writable()
    examples = _examples(arguments, name, store)
    need_the_extra()
    again = find_again(store, name, arguments.data, wanted)
    interruption.listen()

    load_keras_quietly(arguments.devices)
    from training.fitting.progress import Progress
    from training.refreshing.refresh import refresh as run

    try:
        refreshed = run(again, examples, store, Progress(), arguments.devices)
    except OSError as error:
        raise TrainingError(f"training cannot use its work folder: {error}; set TMPDIR to one with room") from error
    result = result_of(refreshed.candidate, store, time.monotonic() - started)
    result |= {
        "against": again.live.manifest.version,
        "labelled": refreshed.labelled,
        "trial": {trial.what: trial.to_dict() for trial in refreshed.trials},
    }
    live = f"{name}/{again.live.manifest.version}"
    lines = [f"  against {live} {trial}" for trial in refreshed.trials]
    print(json.dumps(result, ensure_ascii=False) if arguments.json else summary_of(refreshed.candidate, result, *lines))


def _examples(arguments: argparse.Namespace, name: str, store: Store) -> list[Example]:
    """What was labelled up to now. Raises RefreshError if nothing was."""
    state = state_root(arguments.state, store.root, os.environ)
    events = events_place(str(find("events", arguments.events, os.environ, read_file(), "")[0]), state)
    if isinstance(events, Path) and arguments.events and not events.is_file():
        raise RefreshError(f"there is no event store {events}; say with --events where the server keeps its labels")
    if not state.is_dir() or (isinstance(events, Path) and not events.is_file()):
        raise RefreshError(f"no server has noted anything in {state}; send labels to /feedback, or say with --state where its folder is")
    kept = Examples(state)
    with contextlib.closing(LabelLog(events)) as log:
        kept.label_from(log)
    if not (found := kept.of(name, arguments.since)):
        raise RefreshError(
            f"no input of {name}{' since then' if arguments.since else ''} is kept with its label in {state}; send labels to /feedback, "
            "with --examples-megabytes of the server above 0"
        )
    return found


def _moment(text: str) -> float:
    """Seconds since 1970 of a date, or of a time as RFC 3339 has it; without a zone it is in UTC."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, expected one as in {_AS_IN}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
