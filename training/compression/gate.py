"""The gate: a variant that is worse than fp32 or no faster is kept for the record, with the reason, and not served by default."""

from __future__ import annotations

import math
from collections.abc import Mapping

from models.manifest import Latency, Metric, Variant

#: Share of the test rows that a variant may lose against fp32: half a point.
MAX_LOSS = 0.005
#: By how much of it the root mean squared error of a regression may grow: less than the rows of a test part can tell, of which n leave
#: it uncertain by about 1 / √(2n), which is 3 % of it for 500.
MAX_GROWTH = 0.02


def reason_against(metrics: Mapping[str, Metric], latency: Latency, fp32: Mapping[str, Metric], fp32_latency: Latency) -> str | None:
    """Why a variant may not be served by default, in a sentence; None if it may."""
    worse = _less_accurate(metrics["accuracy"], fp32["accuracy"]) if "accuracy" in metrics else _farther_off(metrics["rmse"], fp32["rmse"])
    return worse or _slower(latency, fp32_latency)


def _less_accurate(accuracy: Metric, fp32: Metric) -> str | None:
    # In whole rows: 0.97 − 0.965 is a little more than 0.005 in binary.
    lost = round((fp32.value - accuracy.value) * accuracy.rows)
    if lost <= MAX_LOSS * accuracy.rows:
        return None
    return (
        f"it loses {lost / accuracy.rows * 100:.2f} points of test accuracy against fp32 "
        f"({accuracy.value:.4f} instead of {fp32.value:.4f}), more than the {MAX_LOSS * 100:.1f} allowed"
    )


def _farther_off(rmse: Metric, fp32: Metric) -> str | None:
    if rmse.value <= fp32.value * (1 + MAX_GROWTH):
        return None
    grown = f"grows by {100 * (rmse.value / fp32.value - 1):.2f} %" if fp32.value else "is no longer 0"
    return (
        f"its root mean squared test error {grown} against fp32 ({rmse.value:.4g} instead of {fp32.value:.4g}), "
        f"more than the {MAX_GROWTH * 100:.1f} % allowed"
    )


def _slower(latency: Latency, fp32: Latency) -> str | None:
    if all(latency.batch[size] > seconds for size, seconds in fp32.batch.items()):
        compared = " and ".join(
            f"{latency.batch[size] * 1e3:.3f} ms instead of {seconds * 1e3:.3f} ms at batch {size}" for size, seconds in fp32.batch.items()
        )
        return f"it is slower than fp32: {compared}"
    return None


def reason_if_whole(name: str, parameters: Mapping[str, int]) -> str | None:
    """Why a pruned variant is not served that lost nothing: it is the network itself, and would be judged by the noise of a measurement."""
    if not name.startswith("pruned") or parameters[name] < parameters["fp32"]:
        return None
    return (
        f"nothing was cut: it has the {parameters[name]:,} parameters of fp32, since no layer can lose a channel or prune_keep leaves all"
    )


def choose_default(variants: tuple[Variant, ...]) -> str:
    """The fastest of those published, by the geometric mean over the batch sizes."""
    published = [variant for variant in variants if variant.published]
    return min(published, key=lambda variant: math.prod(variant.latency_seconds.batch.values())).name
