"""What a form can say of an answer, whichever protocol asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from app.errors import BadInput
from app.predictor import Answer
from monitoring.counts.receipt import Seal
from monitoring.subject import Subject


class Form(Protocol):
    """The answers of one variant, in writing."""

    subject: Subject
    #: The output that is given where a protocol has room for one.
    main: str
    #: The outputs that may be asked for by name: name → dtype and values in a row, None for one without an axis of its own.
    outputs: Mapping[str, tuple[str, int | None]]
    #: What TensorFlow Serving calls signatures: name → outputs.
    signatures: Mapping[str, tuple[str, ...]]

    def label(self, label: Any) -> Any:
        """A label of a held-back row as JSON has it."""
        ...

    def predictions(self, answer: Answer, seal: Seal, now: float) -> list[dict[str, Any]]:
        """Each row's answer as /predict has it, its id included. Raises BadInput for an answer that is not a number."""
        ...

    def receipts(self, answer: Answer, seal: Seal, now: float) -> list[str]:
        """The id of each row's answer, as /feedback takes it. Raises BadInput for an answer that is not a number."""
        ...

    def values(self, name: str, answer: Answer, seal: Seal, now: float) -> NDArray[Any] | list[Any]:
        """One of the outputs, with a value for each row (n, …)."""
        ...


def with_outlier(rows: list[dict[str, Any]], answer: Answer) -> list[dict[str, Any]]:
    """The rows of an answer in writing, each with how unusual it is, if the model tells."""
    if answer.outlier is not None:
        for row, score in zip(rows, answer.outlier, strict=True):
            row["outlier"] = score
    return rows


def not_a_number(subject: Subject) -> BadInput:
    """What is said of an answer that is not a number."""
    lowest, highest = subject.manifest.input.range
    return BadInput(f"the values are so far outside {lowest:g} to {highest:g} that the model's answer is not a number", "range")
