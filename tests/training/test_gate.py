"""The gate: what is not published, with what reason, and which variant is served."""

from __future__ import annotations

import dataclasses

import pytest

from models.manifest import Latency, Metric, Variant
from training.compression.gate import choose_default, reason_against

pytestmark = pytest.mark.training


def metric(right: int, rows: int = 1000) -> Metric:
    return Metric(right / rows, 0.0, 1.0, rows)


def latency(one: float, many: float) -> Latency:
    return Latency({"1": one, "32": many}, "a processor")


@pytest.mark.parametrize(
    ("right", "one", "many", "words"),
    [
        (970, 0.001, 0.010, None),  # the same
        (965, 0.001, 0.010, None),  # half a point is allowed
        (964, 0.001, 0.010, ["0.60 points", "0.9640", "0.9700", "0.5"]),
        (980, 0.002, 0.020, ["slower", "2.000 ms instead of 1.000 ms at batch 1", "20.000 ms instead of 10.000 ms at batch 32"]),
        (970, 0.002, 0.009, None),  # slower for one, faster for many
        (970, 0.0009, 0.011, None),
    ],
)
def test_reason(right: int, one: float, many: float, words: list[str] | None) -> None:
    reason = reason_against({"accuracy": metric(right)}, latency(one, many), {"accuracy": metric(970)}, latency(0.001, 0.010))
    if words is None:
        assert reason is None
    else:
        assert reason is not None
        assert all(word in reason for word in words), reason


def _reason(right: int, of: int, rows: int) -> str | None:
    return reason_against({"accuracy": metric(right, rows)}, latency(1, 1), {"accuracy": metric(of, rows)}, latency(1, 1))


@pytest.mark.parametrize(
    ("rmse", "of", "words"),
    [
        (10.2, 10.0, None),  # two percent are allowed
        (10.21, 10.0, ["grows by 2.10 %", "10.21 instead of 10", "2.0 %"]),
        (9.0, 10.0, None),
        (0.0, 0.0, None),
        (0.1, 0.0, ["is no longer 0"]),
    ],
)
def test_reason_of_a_regression(rmse: float, of: float, words: list[str] | None) -> None:
    same = latency(1, 1)
    found, fp32 = ({"mae": Metric(1, 1, 1, 100), "rmse": Metric(value, value, value, 100)} for value in (rmse, of))

    reason = reason_against(found, same, fp32, same)

    assert (reason is None) == (words is None)
    assert all(word in (reason or "") for word in words or [])


@pytest.mark.parametrize("rows", [200, 1000, 10_000])
def test_half_a_point_is_half_a_point_for_every_accuracy(rows: int) -> None:
    """Binary fractions must not decide: 0.97 − 0.965 > 0.005."""
    allowed = rows // 200
    for right in range(rows // 2, rows):
        assert _reason(right - allowed, right, rows) is None
        assert _reason(right - allowed - 1, right, rows) is not None


def test_the_fastest_published_variant_is_served() -> None:
    fp32 = Variant("fp32", "", "", 0, 0, {"accuracy": metric(970)}, latency(0.004, 0.040), True, None)
    int8 = dataclasses.replace(fp32, name="int8", latency_seconds=latency(0.002, 0.060))  # geometric mean 0.0110
    pruned = dataclasses.replace(fp32, name="pruned", latency_seconds=latency(0.003, 0.030))  # 0.0095
    best = dataclasses.replace(fp32, name="pruned-int8", latency_seconds=latency(0.001, 0.010), published=False, reason="it is wrong")
    assert choose_default((fp32, int8, pruned, best)) == "pruned"
    assert choose_default((fp32, int8)) == "int8"
    assert choose_default((fp32, best)) == "fp32"
