"""What a user may say of a data set whose file does not say it."""

from __future__ import annotations

from dataclasses import dataclass

from training.data.rows import Kind, Task


@dataclass(frozen=True)
class Wanted:
    """None is: as the data look. `target` is the name of a table's column, `task` what is asked, `kind` what a .npz file holds."""

    target: str | None = None
    task: Task | None = None
    kind: Kind | None = None
