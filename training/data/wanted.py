"""What a user may say of a data set whose file does not say it, and the options in which it is said."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from typing import Any, get_args

from training.data.rows import Kind, Task


@dataclass(frozen=True)
class Wanted:
    """None is: as the data look. `target` is the name of a table's column, `task` what is asked, `kind` what a .npz file holds, `image`
    the (height, width, channels) that the images of a folder become.
    """

    target: str | None = None
    task: Task | None = None
    kind: Kind | None = None
    image: tuple[int, int, int] | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Wanted:
        """As the options of `add_data` or `add_looks` say."""
        return cls(getattr(arguments, "target", None), arguments.task, arguments.kind)

    def said(self) -> dict[str, Any]:
        """What is not None, as JSON has it."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options that say which data is learnt from."""
    parser.add_argument(
        "--data",
        default="digits",
        metavar="NAME|DIR|FILE",
        help="digits, mnist, fashion-mnist, a folder of images by class or of idx files, or a .npz, .csv or .parquet file",
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column of a table that is to be predicted (default: the last)")
    add_looks(parser)


def add_looks(parser: argparse.ArgumentParser) -> None:
    """The options that say what data is which could be something else."""
    parser.add_argument("--task", choices=get_args(Task), help="what the target is (default: as it looks)")
    kinds = [kind for kind in get_args(Kind) if kind != "tabular"]
    parser.add_argument("--kind", choices=kinds, help="what x of a .npz file is (default: as it looks)")
