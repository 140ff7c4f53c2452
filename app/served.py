"""What is served now: for each model on the shelf its live version, loaded. Looks for a new one every second.

A new version is loaded and warmed up beside the old one and then takes its place in one assignment; requests that began with the old
one end with it. A version that cannot be loaded changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import cached_property

from app.errors import NotReady, UnknownModel
from app.forms.classes import ClassForm
from app.forms.form import Form
from app.forms.values import ValueForm
from app.hanging import Calls
from app.predictor import Predictor
from app.takes import Takes
from app.unloaded import Unloaded
from models.errors import ManifestError, VeletaError
from models.store import Published, Store
from monitoring.reference import Samples, read_samples
from monitoring.subject import Subject

_log = logging.getLogger("veleta.served")


@dataclass(frozen=True)
class Loaded:
    """A variant that can answer."""

    published: Published
    subject: Subject
    predictor: Predictor
    loaded_at: float
    row_seconds: float

    @cached_property
    def form(self) -> Form:
        """How its answers are written."""
        kind = ValueForm if self.published.manifest.task == "regression" else ClassForm
        return kind(self.subject, self.predictor.features)

    @cached_property
    def takes(self) -> Takes:
        """What it takes at the door."""
        return Takes.of(self.published.manifest.input, self.subject.reference.fitted.columns)

    @cached_property
    def samples(self) -> Samples:
        """The held-back rows that came with the version."""
        return read_samples(self.published.file("reference.npz"))


class Served:
    """The models that answer, by name."""

    def __init__(
        self,
        store: Store,
        unloaded: Unloaded,
        variant: str,
        default: str,
        threads: int,
        calls: Calls,
        on_load: Callable[[Subject, float], None],
        on_look: Callable[[float], None],
    ) -> None:
        self._store, self._variant, self._default, self._threads = store, variant, default, threads
        self.unloaded, self._left_out = unloaded, frozenset[str]()
        self._calls, self._on_load, self._on_look = calls, on_load, on_look
        self._loaded: dict[str, Loaded] = {}
        self._refused: dict[str, int] = {}
        self._first: dict[str, str] = {}
        self._stop = threading.Event()

    def watch(self, seconds: float) -> None:
        """Look for new versions every so many seconds, in a thread."""
        threading.Thread(target=self._run, args=(seconds,), name="reload", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def refresh(self) -> None:
        """Load what is live and not loaded; let go what is no longer on the shelf, or was taken out of service."""
        began_at = time.time()
        names = set(self._store.names())
        left_out = self.unloaded.names() & names
        live = {name: version for name in sorted(names - left_out) if (version := self._store.live(name))}
        self._refused = {name: version for name, version in self._refused.items() if name in live}
        for name, version in live.items():
            current = self._loaded.get(name)
            if (current is None or current.published.manifest.version != version) and self._refused.get(name) != version:
                self._take_up(name, version)
        for name in left_out - self._left_out:
            _log.info("%s is unloaded", name)
        self._left_out = left_out  # before the models go, so that none is unknown in between
        self._loaded = {name: loaded for name, loaded in self._loaded.items() if name in live}
        self._on_look(began_at)

    def get(self, name: str | None = None) -> Loaded:
        """The model of that name, or the default one. Raises UnknownModel or NotReady."""
        loaded = self._loaded
        if not loaded and not self._left_out:
            raise NotReady("no live model is loaded; publish one with `veleta train`, or see the server's log for what is wrong with it")
        wanted = name or self._default or self._first_published(loaded.keys() | self._left_out)
        if wanted in self._left_out and wanted not in loaded:
            raise NotReady(f"{wanted} was unloaded; load it with POST /v2/repository/models/{wanted}/load")
        if wanted not in loaded:
            raise UnknownModel(f"there is no model {wanted[:64]!r}; there is {', '.join(sorted(loaded)) or 'none'}")
        return loaded[wanted]

    def all(self) -> list[Loaded]:
        return [loaded for _, loaded in sorted(self._loaded.items())]

    def _take_up(self, name: str, version: int) -> None:
        try:
            loaded = self._load(name, version)
        except VeletaError as error:
            self._refused[name] = version
            _log.error("%s/%s is not taken up: %s", name, version, error)
            return
        self._refused.pop(name, None)
        self._loaded = {**self._loaded, name: loaded}
        self._on_load(loaded.subject, loaded.loaded_at)
        _log.info("serving %s", loaded.subject.key)

    def _load(self, name: str, version: int) -> Loaded:
        published = self._store.open(name, version)
        subject = Subject.load(published, self._variant or None)
        manifest, running = published.manifest, self._calls.running(subject.key)
        predictor = Predictor(published.path(subject.variant), manifest.input, self._threads, running, manifest.task)
        if predictor.answers not in (None, len(manifest.classes) or 1):
            named = f"names {len(manifest.classes)} classes" if manifest.classes else "is of a regression"
            raise ManifestError(f"{published.folder} answers {predictor.answers} numbers, and its manifest {named}; publish it again")
        return Loaded(published, subject, predictor, time.time(), predictor.warm_up())

    def _first_published(self, names: Set[str]) -> str:
        """The default stays what it was when another model joins, or when it is taken out of service itself."""
        for name in names - self._first.keys():
            self._first[name] = self._store.open(name, self._store.versions(name)[0]).manifest.created
        return min(names, key=lambda name: (self._first[name], name))

    def _run(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                self.refresh()
            except (VeletaError, OSError) as error:
                _log.error("the store cannot be read, what is loaded goes on: %s", error)
