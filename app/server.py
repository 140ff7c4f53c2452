"""The server: gunicorn with as many workers as there are processors, each of which makes its own app after the fork."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
from pathlib import Path
from typing import IO, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from app import endings, keys, logs, tls, tracing
from app.events import open_log, signing_secret
from app.settings import Settings
from app.starting import without_collecting
from models.errors import StoreError, VeletaError
from models.store import Published, Store
from monitoring.counts.examples import Examples

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  gunicorn's heartbeat files; on a disk they can block a worker

_FAILED_TO_LOAD = Arbiter.APP_LOAD_ERROR
_NOT_STARTED = "the workers could not start; the lines above say why"


def serve(settings: Settings) -> None:
    """Serve until a signal says stop. Raises VeletaError before anything is started, if it cannot work."""
    published = _check_models(settings)
    _check_port(settings)
    _check_options(settings)
    with _only_server(settings):
        log = open_log(settings)
        signing_secret(settings, log)
        log.close()
        logs.configure(settings.log_format)
        if settings.examples_megabytes:
            Examples(settings.state_folder).close()
        endings.hold_in_forks()
        try:
            _Gunicorn(settings, published).run()
        except HaltServer as error:
            raise VeletaError(_NOT_STARTED) from error
        except SystemExit as end:
            if end.code:
                raise VeletaError(_NOT_STARTED) from end


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, published: Published) -> None:
        self.settings, self._published = settings, published
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        options = {
            "bind": f"{settings.host}:{settings.port}",
            "workers": settings.worker_count,
            "worker_class": "app.worker.Worker",
            "asgi_lifespan": "on",
            "http_parser": "python",  # the C parser lost requests with bodies above 64 KiB, and needs a compiler
            "graceful_timeout": settings.grace_seconds,
            "keepalive": 5,
            "timeout": settings.hang_seconds,
            "control_socket_disable": True,
            "worker_tmp_dir": str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None,
            "proc_name": "veleta",
            "loglevel": "warning",
            "logger_class": logs.GunicornLogger,
            "certfile": settings.tls_cert or None,
            "keyfile": settings.tls_key or None,
            "when_ready": lambda _: _announce(settings, self._published),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Called in each worker: sessions, mapped counts, connections and threads are made after the fork."""
        try:
            with without_collecting():
                from app.factory import create_app
                from app.fast_lane import FastLane

                return FastLane(create_app(self.settings), self.settings.threads)
        except VeletaError as error:
            logs.tell(f"veleta: {error}")
            sys.exit(_FAILED_TO_LOAD)


def _announce(settings: Settings, published: Published) -> None:
    address = f"{'https' if settings.tls_cert else 'http'}://{settings.host}:{settings.port}"
    name, version = published.manifest.name, published.manifest.version
    logs.tell(f"Veleta serves {name}/{version} on {address}  (Ctrl-C stops it). Ask it there, or try:")
    if published.manifest.input.kind == "image":
        logs.tell(f"    curl -s {address}/samples/{name}/0.png | curl -s --data-binary @- {address}/predict")
    else:
        logs.tell(f"    curl -s {address}/samples/{name}")


def _check_models(settings: Settings) -> Published:
    """The model that will be the default. Every live version must be whole before anything is started."""
    store = Store(settings.store_folder)
    names = [name for name in store.names() if store.live(name)]
    if not names:
        raise StoreError(f"there is no model to serve in {store.root}; train one with `veleta train`, or choose a store with --store DIR")
    if settings.model and settings.model not in names:
        raise StoreError(f"model is {settings.model!r}, and {store.root} has only {', '.join(names)}; choose one of them with --model NAME")
    for name in names:
        store.open(name).path(settings.variant or None)
        store.open(name).file("reference.npz")
    first = settings.model or min(names, key=lambda name: (store.open(name, store.versions(name)[0]).manifest.created, name))
    return store.open(first)


def _check_options(settings: Settings) -> None:
    tls.check(settings)
    if settings.api_keys_file:
        keys.check(Path(settings.api_keys_file))
    if settings.otlp_endpoint:
        tracing.check(settings.otlp_endpoint)


def _check_port(settings: Settings) -> None:
    try:
        with socket.create_server((settings.host, settings.port)):
            pass
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise VeletaError(f"{where} is in use by another program; stop it or choose another port with --port N") from error
        raise VeletaError(f"cannot listen on {where}: {error.strerror or error}; choose another with --host and --port") from error


def _only_server(settings: Settings) -> IO[str]:
    """One server per state folder, or both would count everything twice. The kernel frees the lock when the server dies."""
    folder = settings.state_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "server").open("a+", encoding="utf-8")
    except OSError as error:
        raise VeletaError(f"the state folder {folder} cannot be written: {error.strerror}; choose another with --state DIR") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = f" (process {found})" if (found := lock.read().strip()) else ""  # it may not have written it yet
        raise VeletaError(f"the state folder {folder} is in use by another server{holder}; choose another with --state DIR") from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock
