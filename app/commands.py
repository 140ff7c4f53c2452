"""The server's commands: `serve`, `predict`, its client, `drill`, which tries out what it would notice, and `trial`, which tries out a
candidate by what it has noted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app import client
from app.settings import Settings, resolve
from app.starting import without_collecting
from models.commands import add_store
from models.configuration import read_file, without_password

#: Settings without a flag: a secret does not belong in the list of processes. They are not printed either.
_SECRETS = ("secret", "admin_token")


def configure_serve(parser: argparse.ArgumentParser) -> None:
    for part in dataclasses.fields(Settings):
        if part.name not in _SECRETS:
            default = f" (default {part.default})" if part.default not in ("", 0) else ""
            flag = f"--{part.name.replace('_', '-')}"
            alone: dict[str, Any] = {"nargs": "?", "const": "true"} if isinstance(part.default, bool) else {}
            metavar = "true|false" if alone else part.name.split("_")[-1].upper()
            parser.add_argument(flag, dest=part.name, metavar=metavar, help=part.metadata["help"] + default, **alone)
    parser.add_argument("--show-config", action="store_true", help="print each setting and where it came from, and stop")


def serve(arguments: argparse.Namespace) -> None:
    settings, origins = resolve(vars(arguments), os.environ, read_file())
    if arguments.show_config:
        for name, origin in origins.items():
            value = "(set)" if name in _SECRETS and getattr(settings, name) else without_password(str(getattr(settings, name)))
            print(f"{name:<16} {value!s:<20} {origin}")
        return
    with without_collecting():
        from app.server import serve as run

    run(settings)


def configure_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="an image, JSON, a .npy file or raw values")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the server (default %(default)s)")
    parser.add_argument("--model", metavar="NAME", default="", help="the model; without it the server's default one")
    parser.add_argument("--key-file", metavar="FILE", type=Path, help="a file with the API key, if the server wants one")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=60.0, help="time to wait for an answer (default 60)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def predict(arguments: argparse.Namespace) -> None:
    key = client.read(arguments.key_file).decode("latin-1").strip() if arguments.key_file else ""
    answers = client.ask(arguments.url, arguments.model, arguments.files, key, arguments.timeout)
    if arguments.json:
        print(json.dumps({"files": [{"file": str(file), **answer} for file, answer in answers]}, ensure_ascii=False))
        return
    for file, answer in answers:
        for prediction in answer["predictions"]:
            print(f"{file}\t{client.in_words(prediction)}", flush=True)


def configure_drill(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("name", metavar="NAME", help="the model; its live version is tried")
    parser.add_argument("--shift", metavar="SHIFT[:STRENGTH]", required=True, help="what changes, as in brightness:60 or class_gone:7")
    parser.add_argument("--list", action=_ListShifts, nargs=0, help="print the shifts and stop")
    parser.add_argument("--share", type=_number(0, 1), default=1.0, help="the share of the inputs that it falls on (default 1)")
    parser.add_argument("--rate", type=_number(0, 1e7), help="predictions per second (default: what the server has seen lately)")
    parser.add_argument("--runs", type=_number(0, 10_000), default=200, help="how often it is simulated (default 200)")
    parser.add_argument("--variant", default="", help="the variant (default: the one that is served)")
    parser.add_argument("--state", metavar="DIR", help="the folder of the server's counts (VELETA_STATE, default .veleta in the store)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def drill(arguments: argparse.Namespace) -> None:
    flags = {"store": arguments.store, "state": arguments.state, "variant": arguments.variant or None}
    settings = resolve(flags, os.environ, read_file())[0]
    from app.drill import run

    report = run(settings, arguments.name, arguments.shift, arguments.share, arguments.rate, int(arguments.runs), time.time())
    print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) if arguments.json else report.to_text())


def configure_trial(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the model")
    parser.add_argument("version", metavar="VERSION", nargs="?", type=int, help="the version that is tried (default: the candidate)")
    add_store(parser)
    parser.add_argument("--state", metavar="DIR", help="the folder of the server's state (VELETA_STATE, default .veleta in the store)")
    parser.add_argument("--events", metavar="FILE|URL", help="the event store (VELETA_EVENTS, default events.db in the state folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def trial(arguments: argparse.Namespace) -> None:
    flags = {"store": arguments.store, "state": arguments.state, "events": arguments.events}
    settings = resolve(flags, os.environ, read_file())[0]
    from app.trial import run

    report = run(settings, arguments.name, arguments.version)
    print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) if arguments.json else report.to_text())


class _ListShifts(argparse.Action):
    """As --help: what there is, and no more."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from app.drill import list_shifts

        print(list_shifts())
        parser.exit()


def _number(above: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = float(text)
        if not above < number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not more than {above:g} and at most {most:g}")
        return number

    parse.__name__ = "number"  # what argparse calls a text that is none
    return parse
