"""`veleta COMMAND …`: dispatch to the one room that the command needs, so that `--help` and `serve` start fast.

Each command NAME lives in a room's `commands.py` as two functions: `configure_NAME(parser)` declares its arguments,
`NAME(arguments)` runs it (`import_`, since Python has that word). What it prints on stdout is the result; progress and errors go to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import sys
from collections.abc import Sequence

from models.errors import VeletaError
from veleta import __version__

COMMANDS = {
    "train": ("training", "train a model and publish it"),
    "import": ("training", "bring a network that was trained elsewhere, shrink it and publish it"),
    "refresh": ("training", "train a model again, with what production has labelled, and put it under trial"),
    "search": ("training", "search for a better recipe, by grid or Bayesian, alone or with other processes"),
    "runs": ("training", "list and compare the trainings: what was tried, how, what came of it"),
    "diagnose": ("training", "train, name what is wrong, apply the remedy, keep it only if it is proved better"),
    "serve": ("app", "serve the live models and watch them"),
    "predict": ("app", "ask a server about files"),
    "drill": ("app", "say how soon a shift of the data would be noticed"),
    "trial": ("app", "try a candidate against the live version, by what production has labelled since"),
    "incidents": ("monitoring", "list the alarms: since when, what they cost, the likely cause"),
    "models": ("models", "list the models on the shelf"),
    "show": ("models", "show one version of a model"),
    "promote": ("models", "make a version live"),
    "rollback": ("models", "make the version before live again"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0 done, 1 failed (one sentence on stderr), 2 usage."""
    # Before numpy is imported. Its threads wait by spinning, beside small products that one thread does as fast: measured, half of the
    # processor time of a request, and of an epoch of a small network that is looked at.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from app.settings import refuse_unknown
    from models.configuration import read_file

    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(words)
    arguments = parser.parse_args(words)
    try:
        refuse_unknown(os.environ, read_file())
        arguments.run(arguments)
        sys.stdout.flush()
    except VeletaError as error:
        if arguments.debug:
            raise
        print(f"veleta: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `veleta models | head` is no failure; nothing may be written to the closed pipe at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("veleta: interrupted; nothing was published", file=sys.stderr)
        return 1
    return 0


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="veleta", description="Train, shrink, serve and watch a Keras model.")
    parser.add_argument("--version", action="version", version=f"veleta {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((word for word in words if not word.startswith("-")), None)
    for name, (room, help_text) in COMMANDS.items():
        command = commands.add_parser(name, help=help_text, description=help_text.capitalize() + ".")
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
        if name == wanted:
            module = importlib.import_module(f"{room}.commands")
            getattr(module, f"configure_{name}")(command)
            command.set_defaults(run=getattr(module, f"{name}_" if keyword.iskeyword(name) else name))
    return parser


if __name__ == "__main__":
    sys.exit(main())
