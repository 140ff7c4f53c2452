"""The server's commands: `serve`."""

from __future__ import annotations

import argparse
import dataclasses
import os

from app.settings import Settings, resolve
from models.configuration import read_file


def configure_serve(parser: argparse.ArgumentParser) -> None:
    for part in dataclasses.fields(Settings):
        if part.name != "secret":  # a secret does not belong in the list of processes
            default = f" (default {part.default})" if part.default not in ("", 0) else ""
            flag = f"--{part.name.replace('_', '-')}"
            parser.add_argument(flag, dest=part.name, metavar=part.name.split("_")[-1].upper(), help=part.metadata["help"] + default)
    parser.add_argument("--show-config", action="store_true", help="print each setting and where it came from, and stop")


def serve(arguments: argparse.Namespace) -> None:
    settings, origins = resolve(vars(arguments), os.environ, read_file())
    if arguments.show_config:
        for name, origin in origins.items():
            value = "(set)" if name == "secret" and settings.secret else getattr(settings, name)
            print(f"{name:<16} {value!s:<20} {origin}")
        return
    from app.server import serve as run

    run(settings)
