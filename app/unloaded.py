"""Models that an administrator took out of service: an empty file for each, which the look for new versions of every worker reads.

It lies with the server's state and not on the shelf, since it is this server that no longer serves them; and it outlives a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Unloaded:
    """A folder of names. Names are those of models on the shelf; whoever adds one has looked there."""

    folder: Path

    def names(self) -> frozenset[str]:
        return frozenset(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else frozenset()

    def add(self, name: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).touch()

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
