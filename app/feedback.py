"""Labels at the door: each is opened, checked and, when it is new, on disk before it is acknowledged."""

from __future__ import annotations

from typing import Any

from app.errors import BadInput, NotReady, OverLimit
from monitoring.counts.label_log import LabelLog, LogError
from monitoring.counts.layout import FEEDBACK_RESULTS
from monitoring.counts.receipt import Receipt, Seal
from monitoring.watch import Subjects


class Feedback:
    """Takes in labels. `keep_seconds`: how old a prediction may be."""

    def __init__(self, seal: Seal, subjects: Subjects, log: LabelLog, keep_seconds: float, max_rows: int) -> None:
        self._seal, self._subjects, self._log = seal, subjects, log
        self._keep_seconds, self._max_rows = keep_seconds, max_rows

    def take(self, data: Any, now: float) -> list[str]:
        """What came of each label in {"feedback": [{"id", "label"}, …]} or one such object. Raises RequestError."""
        items = self._items(data)
        results = [self._check(item, now) for item in items]
        new = [result for result in results if isinstance(result, tuple)]
        try:
            counted = iter(self._log.add(new, now) if new else [])
        except LogError as error:
            raise NotReady("labels cannot be stored at the moment and none of these was; send them again") from error
        return [next(counted) if isinstance(result, tuple) else result for result in results]

    def _items(self, data: Any) -> list[Any]:
        if isinstance(data, dict) and "feedback" not in data and {"id", "label"} & data.keys():
            return [data]
        items = data.get("feedback") if isinstance(data, dict) else None
        if not isinstance(items, list) or not items:
            raise BadInput('the body has no labels, expected {"feedback": [{"id": "…", "label": "7"}, …]}')
        if len(items) > self._max_rows:
            raise OverLimit(f"the request has {len(items)} labels", "max_rows", self._max_rows)
        return items

    def _check(self, item: Any, now: float) -> str | tuple[Receipt, float]:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or "label" not in item:
            return "invalid"
        receipt = self._seal.open(item["id"])
        subject = self._subjects.of(receipt.subject) if receipt else None
        if receipt is None or subject is None:
            return "unknown"
        if receipt.predicted_at < now - self._keep_seconds:
            return "expired"
        label = subject.task.read_label(item["label"])
        return "invalid" if label is None else (receipt, label)


def summary(results: list[str]) -> dict[str, Any]:
    """The answer of /feedback."""
    return {**{result: results.count(result) for result in FEEDBACK_RESULTS}, "results": results}
