"""Where a setting comes from: flag, environment (VELETA_NAME), veleta.toml, default; the same name in all of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import VeletaError

FILE = Path("veleta.toml")
STORE = "models"
_DATABASES = ("postgresql://", "postgres://")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
#: A URL in which it is plain where the password ends: scheme, who, where, and what is asked of it.
_PLAIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+://)(?:[^@/?]*@)?([^@/?]*(?:/[^@?#]*)?)(?:\?[^@]*)?")


def find(name: str, flag: Any, environ: Mapping[str, str], file: Mapping[str, Any], default: Any) -> tuple[Any, str]:
    """The value of a setting and its origin in words."""
    variable = f"VELETA_{name.upper()}"
    if flag is not None:
        return flag, f"flag --{name.replace('_', '-')}"
    if variable in environ:
        return environ[variable], f"environment {variable}"
    if name in file:
        return file[name], str(FILE)
    return default, "default"


def read_file(path: Path = FILE) -> dict[str, Any]:
    """The settings in a TOML file; none if there is no such file. Raises VeletaError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise VeletaError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VeletaError(f"{path} is not TOML: {error}") from error


def store_root(flag: str | None, environ: Mapping[str, str]) -> Path:
    """The folder of the models, for the commands that need no other setting."""
    return Path(str(find("store", flag, environ, read_file(), STORE)[0]))


def state_folder(given: str, store: Path) -> Path:
    """The folder of what a server counts and remembers."""
    return Path(given) if given else store / ".veleta"


def events_place(given: str, state: Path) -> str | Path:
    """The file of the labels, or the URL of the database that has them. Raises VeletaError for a URL of anything else."""
    if given.startswith(_DATABASES):
        return given
    if _URL.match(given):
        raise VeletaError(f"events is {without_password(given)!r}, expected a file or postgresql://USER@HOST/DATABASE")
    return Path(given) if given else state / "events.db"


def without_password(place: str) -> str:
    """The URL of a database as it may be shown; anything else as it is. Of one that can be read in several ways only the beginning.

    >>> without_password("postgresql://veleta:secret@db.example:5432/events?password=x"), without_password("a@b?.db")
    ('postgresql://db.example:5432/events', 'a@b?.db')
    >>> without_password("postgresql://veleta:a/b?c@db.example/events")
    'postgresql://…'
    """
    if not _URL.match(place):
        return place
    found = _PLAIN.fullmatch(place)
    return found[1] + found[2] if found else f"{place.partition(':')[0]}://…"


def state_root(flag: str | None, store: Path, environ: Mapping[str, str]) -> Path:
    """The folder of the server's state, for the commands that need no other setting."""
    return state_folder(str(find("state", flag, environ, read_file(), "")[0]), store)
