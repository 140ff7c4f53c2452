"""The store: where published versions lie, and how one gets there whole.

    <root>/<name>/<version>/    never changes once it is there
    <root>/<name>/live          the version served, one number
    <root>/<name>/candidate     the version under trial, if any
    <root>/<name>/previous      the versions that were live before, oldest first (what `rollback` goes back to)

A version is staged beside its place and renamed into it, so that a reader sees all of it or nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import StoreError
from models.manifest import Manifest, check_file

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_STAGING = ".staging-"


def check_name(name: str) -> str:
    """The name, if it can be one of a model. Raises StoreError."""
    if not NAME.fullmatch(name):
        raise StoreError(f"{name!r} cannot be a model's name; use 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit")
    return name


@dataclass(frozen=True)
class Published:
    """A version on the shelf."""

    folder: Path
    manifest: Manifest

    def path(self, variant: str | None = None) -> Path:
        """The ONNX file of a variant, its hash checked."""
        found = self.manifest.variant(variant)
        path = self.folder / found.file
        check_file(path, found.sha256)
        return path

    def file(self, name: str) -> Path:
        """A file that is not a variant (reference.npz, card.html …), its hash checked."""
        if name not in self.manifest.files:
            raise StoreError(f"{self.folder} has no {name}; its manifest lists {', '.join(self.manifest.files)}")
        check_file(self.folder / name, self.manifest.files[name].sha256)
        return self.folder / name

    def verify(self) -> None:
        """Check every file against the manifest. Raises ManifestError that names the first wrong one."""
        for variant in self.manifest.variants:
            self.path(variant.name)
        for name in self.manifest.files:
            self.file(name)


@dataclass(frozen=True)
class Store:
    """A folder of models."""

    root: Path

    def names(self) -> list[str]:
        """The models that have at least one whole version, sorted."""
        if not self.root.is_dir():
            return []
        folders = (entry.name for entry in self.root.iterdir() if entry.is_dir() and NAME.fullmatch(entry.name))
        return sorted(name for name in folders if self.versions(name))

    def versions(self, name: str) -> list[int]:
        """The whole versions of a model, oldest first. A folder without a manifest is half-written and does not count."""
        return [v for v in self._numbers(name) if (self.root / name / str(v) / "manifest.json").is_file()]

    def live(self, name: str) -> int | None:
        """The version to serve, or None."""
        return self._read_number(name, "live")

    def candidate(self, name: str) -> int | None:
        """The version under trial, or None; one that is gone is under none."""
        number = self._read_number(name, "candidate")
        return number if number in self.versions(name) else None

    def open(self, name: str, version: int | None = None) -> Published:
        """A version (the live one without a number). Raises StoreError or ManifestError."""
        check_name(name)
        if not self.versions(name):
            known = ", ".join(self.names()) or "none"
            raise StoreError(f"there is no model {name!r} in {self.root} (there is: {known}); train it with `veleta train --name {name}`")
        wanted = version if version is not None else self.live(name)
        if wanted is None:
            raise StoreError(f"no version of {name!r} is live; choose one with `veleta promote {name} VERSION`")
        folder = self.root / name / str(wanted)
        if not folder.is_dir():
            raise StoreError(f"{name!r} has no version {wanted}; it has {', '.join(map(str, self.versions(name)))}")
        if not (folder / "manifest.json").is_file():
            raise StoreError(f"{folder} has no manifest.json: it is half-written; remove it and publish again")
        manifest = Manifest.read(folder / "manifest.json")
        if (manifest.name, manifest.version) != (name, wanted):
            raise StoreError(f"{folder} holds {manifest.name}/{manifest.version} by its manifest; move it to its own place")
        return Published(folder, manifest)

    def check_writable(self) -> None:
        """Raise StoreError now rather than after a long training."""
        with self._explained():
            self.root.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.root).close()

    def publish(self, name: str, source: Path, manifest: Callable[[int], Manifest]) -> Published:
        """Copy the files of `source` to the shelf as the next version of `name`.

        `manifest` makes the manifest for the number that is free. The first version of a name becomes live by itself.
        """
        check_name(name)
        home = self.root / name
        with self._explained():
            home.mkdir(parents=True, exist_ok=True)
            with _locked(home):
                self._sweep(home)
                version = max(self._numbers(name), default=0) + 1
                if self.candidate(name) is None:
                    (home / "candidate").unlink(missing_ok=True)  # the number of one that is gone may be given again
                staged = Path(tempfile.mkdtemp(prefix=_STAGING, dir=home))
                try:
                    made = manifest(version)
                    for file in [*(variant.file for variant in made.variants), *made.files]:
                        shutil.copyfile(source / file, staged / file)
                    (staged / "manifest.json").write_text(made.to_json(), encoding="utf-8")
                    Published(staged, made).verify()
                    staged.chmod(0o755)
                    _sync_tree(staged)
                    staged.rename(home / str(version))
                    _sync(home)
                except BaseException:
                    shutil.rmtree(staged, ignore_errors=True)
                    raise
                if self.live(name) is None:
                    _write(home / "live", f"{version}\n")
        return self.open(name, version)

    def propose(self, name: str, version: int) -> None:
        """Put a version under trial, in place of the one that was."""
        self.open(name, version)
        home = self.root / name
        with self._explained(), _locked(home):
            _write(home / "candidate", f"{version}\n")

    def promote(self, name: str, version: int) -> Published:
        """Make a version live, after checking every file of it. What was live before is remembered; the trial of a candidate is over."""
        published = self.open(name, version)
        published.verify()
        home = self.root / name
        with self._explained(), _locked(home):
            before = self.live(name)
            if before != version:
                if before is not None:
                    _write(home / "previous", "".join(f"{v}\n" for v in [*self._previous(name), before]))
                _write(home / "live", f"{version}\n")
            if self.candidate(name) == version:
                (home / "candidate").unlink()
        return published

    def rollback(self, name: str) -> Published:
        """Make live again what was live before the current version. Raises StoreError if nothing was."""
        current = self.open(name).manifest.version
        home = self.root / name
        with self._explained(), _locked(home):
            before = [v for v in self._previous(name) if v != current and v in self.versions(name)]
            if not before:
                raise StoreError(f"no version of {name!r} was live before {current}; choose one with `veleta promote {name} VERSION`")
            published = self.open(name, before[-1])
            published.verify()
            _write(home / "live", f"{before[-1]}\n")
            _write(home / "previous", "".join(f"{v}\n" for v in before[:-1]))
        return published

    def _numbers(self, name: str) -> list[int]:
        home = self.root / name
        if not home.is_dir():
            return []
        return sorted(int(e.name) for e in home.iterdir() if e.is_dir() and re.fullmatch(r"[1-9][0-9]{0,8}", e.name))

    def _read_number(self, name: str, file: str) -> int | None:
        path = self.root / name / file
        try:
            text = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error
        if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
            raise StoreError(f"{path} holds {text[:20]!r}, expected a version's number; set it with `veleta promote {name} VERSION`")
        return int(text)

    def _previous(self, name: str) -> list[int]:
        path = self.root / name / "previous"
        return [int(line) for line in path.read_text(encoding="utf-8").split()] if path.is_file() else []

    def _sweep(self, home: Path) -> None:
        """Remove what a publisher that was killed left; the lock says that none is at work."""
        for left in home.glob(f"{_STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"the store {self.root} cannot be written: {error.strerror}; choose another with --store DIR or VELETA_STORE"
            ) from error


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One publisher at a time; the kernel frees the lock when its holder dies."""
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    """Replace a small file atomically."""
    staged = path.with_name(f".{path.name}.new")
    with staged.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_tree(folder: Path) -> None:
    for file in folder.iterdir():
        _sync(file)
    _sync(folder)
