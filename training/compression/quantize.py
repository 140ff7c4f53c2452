"""Static int8: weights and activations in eight bits, their ranges read from training images before anything is served.

Never dynamic: that makes convolutions several times slower (research/training.md, section 4b). Two choices have no right answer that
holds for every network, so they are tried and the validation rows decide.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quant_pre_process, quantize_static

from training.compression.floating import floating
from training.compression.processor import has_int8_dot
from training.data.parts import Part
from training.onnx.answers import answer, feed, open_session
from training.quiet import quiet_libraries

_BATCH = 64


@dataclass(frozen=True)
class Choice:
    """One way to quantize: a scale for each output channel or one for all, and how the range of an activation is found."""

    per_channel: bool
    method: CalibrationMethod

    def __str__(self) -> str:
        return f"{'per channel' if self.per_channel else 'per tensor'}, {self.method.name}"


CHOICES = tuple(itertools.starmap(Choice, itertools.product((False, True), (CalibrationMethod.MinMax, CalibrationMethod.Percentile))))


class Rows:
    """Calibration inputs, a batch at a time, as onnxruntime.quantization asks for them: batches of one size, or its histograms fail, so
    the last one begins early enough to be full.
    """

    def __init__(self, path: Path, x: NDArray[Any]) -> None:
        session, last = open_session(path), max(len(x) - _BATCH, 0)
        self._batches = iter([feed(session, x[min(start, last) :][:_BATCH]) for start in range(0, len(x), _BATCH)])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._batches, None)


def quantize(source: Path, target: Path, calibration: Part, validation: Part) -> Choice:
    """Write the int8 form of an ONNX file, the one of CHOICES that answers best on the validation rows; returns which."""
    with tempfile.TemporaryDirectory(prefix="veleta-int8-") as scratch, quiet_libraries():
        prepared = Path(scratch, "prepared.onnx")
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        made = {choice: Path(scratch, f"{number}.onnx") for number, choice in enumerate(CHOICES)}
        for choice, path in made.items():
            _quantize(prepared, path, calibration, choice)
        best = min(CHOICES, key=lambda choice: _faults(made[choice], validation))
        target.write_bytes(made[best].read_bytes())
    return best


def _quantize(source: Path, target: Path, calibration: Part, choice: Choice) -> None:
    """QDQ with unsigned activations and signed weights, which ONNX Runtime runs fastest on x86. Without a dot product for int8, sums of
    two products overflow 16 bits, so the weights get seven. What comes out of a dense layer stays float, as does what `floating` names.

    A file beside the target keeps what the activations were found to range over: it is the same for all choices with the same method.
    """
    quantize_static(
        str(source),
        str(target),
        Rows(source, calibration.x),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=choice.per_channel,
        reduce_range=not has_int8_dot(),
        calibrate_method=choice.method,
        calibration_cache_path=target.with_name(f"{choice.method.name}.json"),
        nodes_to_exclude=floating(onnx.load(source).graph),
        extra_options={
            "WeightSymmetric": True,
            "ActivationSymmetric": False,
            "CalibPercentile": 99.99,
            "OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"],
        },
    )


def _faults(path: Path, validation: Part) -> tuple[int, float]:
    """Wrong answers, and where those are equal the loss; of a regression the mean squared error."""
    answers = answer(path, validation.x)[0]
    if answers.shape[1] == 1:
        return 0, float(np.square(answers[:, 0] - validation.y).mean())
    right = answers[np.arange(len(validation)), validation.y]
    return int(np.count_nonzero(answers.argmax(1) != validation.y)), float(-np.log(np.maximum(right, 1e-7)).mean())
