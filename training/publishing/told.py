"""What is said of a version when it is published, to people and as JSON."""

from __future__ import annotations

from typing import Any

from models.store import Published, Store


def result_of(published: Published, store: Store, seconds: float) -> dict[str, Any]:
    """The version and its variants; making it took so many `seconds`."""
    manifest = published.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "live": store.live(manifest.name) == manifest.version,
        "candidate": store.candidate(manifest.name) == manifest.version,
        "folder": str(published.folder),
        "default_variant": manifest.default_variant,
        "seconds": round(seconds, 1),
        "variants": [
            {
                "name": variant.name,
                **{name: metric.value for name, metric in variant.metrics.items()},
                "bytes": variant.bytes,
                "latency_seconds": variant.latency_seconds.batch,
                "published": variant.published,
                "reason": variant.reason,
            }
            for variant in manifest.variants
        ],
    }


def summary_of(published: Published, result: dict[str, Any], *more: str) -> str:
    """The same for people, with `more` lines before what comes next."""
    manifest = published.manifest
    lines = [f"{manifest.name}/{manifest.version} is published in {published.folder} after {result['seconds']:.0f} s"]
    for variant in manifest.variants:
        batch = variant.latency_seconds.batch
        scores = ", ".join(f"{name} {it.value:.4f} ({it.lower:.4f} to {it.upper:.4f})" for name, it in variant.metrics.items())
        mark = "*" if variant.name == manifest.default_variant else ""
        lines.append(
            f"  {variant.name + mark:<13} {scores}, "
            f"{variant.bytes / 1e3:,.0f} kB, {batch['1'] * 1e3:.3f} ms at batch 1, {batch['32'] * 1e3:.3f} ms at batch 32"
            + ("" if variant.published else f"; not published: {variant.reason}")
        )
    following = f"veleta promote {manifest.name} {manifest.version}" if not result["live"] else "veleta serve"
    state = "It is live" if result["live"] else "It is the candidate" if result["candidate"] else "Another version is live"
    last = f"{state}; next: {following}"
    return "\n".join([*lines, "  * served by default", *more, last])
