"""The gate: a variant that is worse than fp32 or no faster is kept for the record, with the reason, and not served by default."""

from __future__ import annotations

import math
from collections.abc import Mapping

from models.manifest import Latency, Metric, Variant

#: Share of the test rows that a variant may lose against fp32: half a point.
MAX_LOSS = 0.005


def reason_against(accuracy: Metric, latency: Latency, fp32_accuracy: Metric, fp32_latency: Latency) -> str | None:
    """Why a variant may not be served by default, in a sentence; None if it may."""
    # In whole rows: 0.97 − 0.965 is a little more than 0.005 in binary.
    lost = round((fp32_accuracy.value - accuracy.value) * accuracy.rows)
    if lost > MAX_LOSS * accuracy.rows:
        return (
            f"it loses {lost / accuracy.rows * 100:.2f} points of test accuracy against fp32 "
            f"({accuracy.value:.4f} instead of {fp32_accuracy.value:.4f}), more than the {MAX_LOSS * 100:.1f} allowed"
        )
    if all(latency.batch[size] > seconds for size, seconds in fp32_latency.batch.items()):
        compared = " and ".join(
            f"{latency.batch[size] * 1e3:.3f} ms instead of {seconds * 1e3:.3f} ms at batch {size}"
            for size, seconds in fp32_latency.batch.items()
        )
        return f"it is slower than fp32: {compared}"
    return None


def reason_if_whole(name: str, parameters: Mapping[str, int]) -> str | None:
    """Why a pruned variant is not served that lost nothing: it is the network itself, and would be judged by the noise of a measurement."""
    if not name.startswith("pruned") or parameters[name] < parameters["fp32"]:
        return None
    return f"nothing was cut: it has the {parameters[name]:,} parameters of fp32, since no layer can lose a channel or prune_keep leaves all"


def choose_default(variants: tuple[Variant, ...]) -> str:
    """The fastest of those published, by the geometric mean over the batch sizes."""
    published = [variant for variant in variants if variant.published]
    return min(published, key=lambda variant: math.prod(variant.latency_seconds.batch.values())).name
