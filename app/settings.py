"""The settings of `veleta serve`: one frozen class; flag, environment, veleta.toml and default under the same name."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.processors import processors
from models import configuration
from models.errors import VeletaError
from models.manifest import VARIANTS

_TRUTHS = {"true": True, "false": False}


def _setting(default: Any, help_text: str, least: float | None = None, most: float | None = None, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": help_text, "least": least, "most": most, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. 0 or empty means: chosen by itself, as the help says."""

    store: str = _setting(configuration.STORE, "the folder of the models")
    host: str = _setting("127.0.0.1", "the address to listen on")
    port: int = _setting(8000, "the port to listen on", 1, 65535)
    workers: int = _setting(0, "worker processes; 0: one for each processor this process may use", 0, 32)
    threads: int = _setting(32, "requests that one worker answers at a time", 1, 256)
    model: str = _setting("", "the model of /predict; empty: the one published first")
    variant: str = _setting("", "the variant to serve; empty: each model's default")
    state: str = _setting("", "the folder of counts and windows; empty: .veleta in the store")
    events: str = _setting(
        "", "the event store: a SQLite file, or postgresql://… for several machines; empty: events.db in the state folder"
    )
    secret_file: str = _setting("", "the file of the secret that signs ids; empty: made and kept beside the event store")
    secret: str = _setting("", "the secret itself; by environment only")
    admin_token: str = _setting("", "the token that may load and unload models; by environment or file only; empty: nobody may")
    tick_seconds: float = _setting(5.0, "time between two ticks of the watch", 0.05, 3600)
    days_between_false_alarms: float = _setting(30.0, "drift alarms: at most one false one in so many days, in the mean", 0.001, 36500)
    capture_rows: int = _setting(0, "inputs that each worker keeps on disk, its last ones, for incidents to show; 0: none", 0, 100_000)
    watch_limit: float = _setting(500.0, "rows per second of each model that a worker watches in the long run; 0: all", 0, 1e9)
    examples_megabytes: float = _setting(
        256.0, "room on disk for inputs that wait for labels, for `veleta refresh` to learn from; 0: none is kept", 0, 1e9
    )
    label_days: float = _setting(30.0, "days after which a label for a prediction is too late", 0.0001, 3650)
    reload_seconds: float = _setting(1.0, "time between two looks for a new live version", 0.05, 3600)
    grace_seconds: int = _setting(30, "time to finish accepted requests on a stop", 1, 3600)
    drain_seconds: float = _setting(0.0, "time between not being ready and not taking connections, on a stop", 0, 3600)
    timeout_seconds: float = _setting(30.0, "longest wait of a request in the queue; X-Request-Timeout asks for less", 0.001, 3600)
    max_queue_rows: int = _setting(1024, "instances that may wait in a worker before requests are turned away", 1, 2**30)
    max_body_bytes: int = _setting(32 * 2**20, "largest body of a request, also after decompression", 1, 2**40)
    max_rows: int = _setting(4096, "most instances in one request", 1, 2**30)
    max_pixels: int = _setting(2**24, "most pixels of an image", 1, 2**40)
    hang_seconds: int = _setting(30, "time after which a worker that does not answer, or a call of a model, hangs and is replaced", 2, 3600)
    api_keys_file: str = _setting("", "the file of API keys, `NAME SHA256 [GROUPS [LAST-DAY]]` a line; empty: nobody needs one")
    rate_limit: float = _setting(0.0, "requests per second of each API key, without keys of each client address; 0: any number", 0, 1e6)
    rate_burst: int = _setting(0, "requests of one caller that may come at once; 0: as many as rate_limit gives in a second", 0, 1e6)
    request_ids: bool = _setting(True, "whether each answer and log line has the X-Request-Id of its request")
    log_format: str = _setting("text", "the form of log lines: text or json", choices=("text", "json"))
    access_log: bool = _setting(False, "whether each request is logged")
    tls_cert: str = _setting("", "the file of the TLS certificate and what it is signed by (PEM); empty: no TLS")
    tls_key: str = _setting("", "the file of the certificate's key (PEM, without passphrase)")
    otlp_endpoint: str = _setting("", "the address of the OpenTelemetry collector (OTLP over HTTP) that gets traces; empty: none are made")

    @property
    def store_folder(self) -> Path:
        return Path(self.store)

    @property
    def state_folder(self) -> Path:
        return configuration.state_folder(self.state, self.store_folder)

    @property
    def events_place(self) -> str | Path:
        return configuration.events_place(self.events, self.state_folder)

    @property
    def secret_path(self) -> Path | None:
        """None: it is in the event store."""
        if self.secret_file:
            return Path(self.secret_file)
        return self.events_place.with_name("secret") if isinstance(self.events_place, Path) else None

    @property
    def worker_count(self) -> int:
        return self.workers or processors()

    @property
    def model_threads(self) -> int:
        """Threads of the model in each worker, so that all together do not exceed the processors."""
        return max(1, processors() // self.worker_count)


def resolve(flags: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
    """The settings, and where each came from. Raises VeletaError that names the value and its origin."""
    known = {part.name: part for part in dataclasses.fields(Settings)}
    refuse_unknown(environ, file)
    types = typing.get_type_hints(Settings)
    values, origins = {}, {}
    for name, part in known.items():
        value, origins[name] = configuration.find(name, flags.get(name), environ, file, part.default)
        values[name] = _convert(name, value, types[name], part.metadata, origins[name])
    settings = Settings(**values)
    configuration.events_place(settings.events, settings.state_folder)  # refuses what is neither a file nor PostgreSQL
    if settings.variant and settings.variant not in VARIANTS:
        raise VeletaError(f"variant is {settings.variant!r} ({origins['variant']}), expected one of {', '.join(VARIANTS)}")
    return settings, origins


def refuse_unknown(environ: Mapping[str, str], file: Mapping[str, Any]) -> None:
    """Raise VeletaError for a setting that there is not: whoever misspells one thinks that it holds."""
    known = [part.name for part in dataclasses.fields(Settings)]
    for name in file:
        if name not in known:
            raise VeletaError(f"{configuration.FILE} has the unknown setting {name!r}; known are {', '.join(known)}")
    for variable in environ:
        if variable.startswith("VELETA_") and variable.removeprefix("VELETA_").lower() not in known:
            raise VeletaError(
                f"the environment has the unknown setting {variable}; known are VELETA_ and {', '.join(map(str.upper, known))}"
            )


def _convert(name: str, value: Any, kind: type, limits: Mapping[str, Any], origin: str) -> Any:
    try:
        converted = _as(kind, value)
        fits = limits["least"] is None or limits["least"] <= converted <= limits["most"]
        fits = fits and (not limits["choices"] or converted in limits["choices"])
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise VeletaError(f"{name} is {value!r} ({origin}), expected {_expected(kind, limits)}")
    return converted


def _as(kind: type, value: Any) -> Any:
    if isinstance(value, (list, dict)) or (isinstance(value, bool) and kind is not bool) or (isinstance(value, float) and kind is int):
        raise TypeError
    return _TRUTHS[str(value).lower()] if kind is bool else kind(value)


def _expected(kind: type, limits: Mapping[str, Any]) -> str:
    if limits["choices"]:
        return f"one of {', '.join(limits['choices'])}"
    expected = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind]
    return expected if limits["least"] is None else f"{expected} from {limits['least']} to {limits['most']}"
