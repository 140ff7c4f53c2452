"""The service: the parts that every protocol and every route shares, wired once, and the one way from rows to an answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from app.decoding import Limits, decode
from app.errors import BadInput
from app.feedback import Feedback
from app.predictor import Answer
from app.served import Loaded, Served
from app.settings import Settings
from models.store import Store
from monitoring import secret
from monitoring.label_log import LabelLog
from monitoring.layout import FEEDBACK_RESULTS, server_layout
from monitoring.receipt import Seal
from monitoring.recorder import Recorder
from monitoring.shared_counts import SharedCounts, server_counts
from monitoring.signals import Batch
from monitoring.watch import Subjects, Watch

#: The routes that requests are counted by; the last stands for all others.
ROUTES = ("/", "/predict", "/feedback", "/monitor", "/metrics", "/samples", "/healthz", "/readyz", "other")


@dataclass(frozen=True)
class Service:
    """What a worker has. Made after the fork."""

    settings: Settings
    limits: Limits
    served: Served
    recorder: Recorder
    watch: Watch
    seal: Seal
    feedback: Feedback
    counts: SharedCounts
    log: LabelLog

    def predict(self, body: bytes, content_type: str, name: str | None = None) -> dict[str, Any]:
        """Answer a body as the contract says. Raises RequestError."""
        loaded = self.served.get(name)
        try:
            rows = decode(body, content_type, loaded.published.manifest.input, self.limits)
        except BadInput as error:
            self.recorder.refused(loaded.subject, error.check)
            raise
        return self._answer(loaded, rows)

    def feedback_totals(self) -> dict[str, int]:
        """Labels that were not counted, by what came of them; the counted ones are in the tracks."""
        counted = self.counts.layout.split(self.counts.total())["feedback"]
        return {result: round(number) for result, number in zip(FEEDBACK_RESULTS, counted.tolist(), strict=True) if result != "matched"}

    def close(self) -> None:
        """Count what is left and stop all threads."""
        self.served.close()
        self.recorder.close()
        self.watch.close()
        self.log.close()

    def _answer(self, loaded: Loaded, rows: NDArray[Any]) -> dict[str, Any]:
        began = time.perf_counter()
        answer = loaded.predictor.predict(rows)
        self.recorder.predicted(loaded.subject, Batch(rows, answer.probabilities), time.perf_counter() - began)
        subject = loaded.subject
        return {
            "model": subject.manifest.name,
            "version": str(subject.manifest.version),
            "variant": subject.variant,
            "predictions": self._predictions(loaded, answer),
        }

    def _predictions(self, loaded: Loaded, answer: Answer) -> list[dict[str, Any]]:
        classes, mark, now = loaded.subject.manifest.classes, loaded.subject.fingerprint, time.time()
        chosen = answer.probabilities.argmax(axis=1).tolist()
        return [
            {
                "id": self.seal.close(mark, now, number, float(row[number])),
                "label": classes[number],
                "class": number,
                "confidence": row[number],
                "probabilities": row,
            }
            for number, row in zip(chosen, answer.probabilities, strict=True)
        ]


def build(settings: Settings) -> Service:
    """Wire a worker's service: what is served, what is noted, what is watched."""
    store, folder = Store(settings.store_folder), settings.state_folder
    keep_seconds = settings.label_days * 86400
    given = settings.secret.encode()
    seal = Seal(secret.check(given, "VELETA_SECRET") if given else secret.read_or_make(settings.secret_path))
    log, subjects = LabelLog(settings.events_file), Subjects(store)
    recorder = Recorder(folder, ROUTES)
    served = Served(store, settings.variant, settings.model, settings.model_threads, recorder.loaded)
    service = Service(
        settings,
        Limits(settings.max_body_bytes, settings.max_rows, settings.max_pixels),
        served,
        recorder,
        Watch(folder, subjects, log, settings.tick_seconds, keep_seconds),
        seal,
        Feedback(seal, subjects, log, keep_seconds, settings.max_rows),
        server_counts(folder / "counts", server_layout(ROUTES)),
        log,
    )
    served.refresh()
    served.watch(settings.reload_seconds)
    service.watch.start()
    return service
