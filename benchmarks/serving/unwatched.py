"""`veleta` with a recorder that notes nothing: what is left of the cost of a request when nobody watches. Only for measuring that."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy, as `veleta` does

import app.service
from monitoring.counts.recorder import Recorder
from veleta.__main__ import main


class Unwatched(Recorder):
    """Takes every note and forgets it."""

    def predicted(self, *note: Any) -> None:
        pass

    def queued(self, *note: Any) -> None:
        pass

    def began(self) -> None:
        pass

    def requested(self, *note: Any) -> None:
        pass

    def answered(self, *note: Any) -> None:
        pass


if __name__ == "__main__":
    vars(app.service)["Recorder"] = Unwatched
    main()
