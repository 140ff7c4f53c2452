"""What the Open Inference Protocol and Triton's extensions say about a model: metadata, configuration, statistics, the repository's index.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md;
https://github.com/triton-inference-server/server, docs/protocol/extension_{model_configuration,statistics,model_repository}.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.protocols.open_inference_tensors import datatype
from app.served import Loaded
from models.store import Store
from monitoring.counts.costs import Cost

EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics")


def outputs_of(loaded: Loaded) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    """The outputs: name → datatype and shape."""
    return {name: (datatype(dtype), (None, size)) for name, (dtype, size) in loaded.form.outputs.items()}


def metadata(loaded: Loaded) -> dict[str, Any]:
    manifest = loaded.subject.manifest
    return {
        "name": manifest.name,
        "versions": [str(manifest.version)],
        "platform": "onnx_onnxv1",
        "inputs": [_tensor(manifest.input.name, datatype(manifest.input.dtype), manifest.input.shape)],
        "outputs": [_tensor(name, *described) for name, described in outputs_of(loaded).items()],
    }


def configuration(loaded: Loaded, most_rows: int) -> dict[str, Any]:
    """The model as Triton would configure it: sizes without the batch, and requests that come together are answered together."""
    manifest = loaded.subject.manifest
    taken = {manifest.input.name: (datatype(manifest.input.dtype), manifest.input.shape)}
    return {
        "name": manifest.name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [manifest.version]}},
        "max_batch_size": most_rows,
        "input": [_slot(name, *described) for name, described in taken.items()],
        "output": [_slot(name, *described) for name, described in outputs_of(loaded).items()],
        "dynamic_batching": {"preferred_batch_size": [], "max_queue_delay_microseconds": 0},
        "instance_group": [{"name": manifest.name, "kind": "KIND_CPU", "count": 1}],
        "default_model_filename": manifest.variant(loaded.subject.variant).file,
    }


def statistics(loaded: Loaded, cost: Cost) -> dict[str, Any]:
    """What the model's requests took, whatever the protocol, summed over all workers since it is counted. There is no cache."""
    manifest = loaded.subject.manifest
    steps = {
        "success": (cost.requests, cost.reading_seconds + cost.waiting_seconds + cost.calling_seconds + cost.writing_seconds),
        "fail": (cost.refused, cost.refusing_seconds),
        "queue": (cost.requests, cost.waiting_seconds),
        "compute_input": (cost.requests, cost.reading_seconds),
        "compute_infer": (cost.requests, cost.calling_seconds),
        "compute_output": (cost.requests, cost.writing_seconds),
        "cache_hit": (0, 0.0),
        "cache_miss": (0, 0.0),
    }
    return {
        "name": manifest.name,
        "version": str(manifest.version),
        "last_inference": round(cost.last * 1000),
        "inference_count": cost.rows,
        "execution_count": cost.calls,
        "inference_stats": {name: {"count": count, "ns": round(seconds * 1e9)} for name, (count, seconds) in steps.items()},
        "response_stats": {},
        "batch_stats": [],
        "memory_usage": [],
    }


def index(store: Store, loaded: Mapping[str, int], unloaded: frozenset[str], only_ready: bool) -> list[dict[str, str]]:
    """Every version on the shelf and whether it answers. `loaded` says of each model that does with which version."""
    rows = []
    for name in store.names():
        live = store.live(name)
        for version in store.versions(name):
            ready = loaded.get(name) == version
            reason = "" if ready else "not live" if version != live else "unloaded" if name in unloaded else "not loaded; the log says why"
            rows.append({"name": name, "version": str(version), "state": "READY" if ready else "UNAVAILABLE", "reason": reason})
    return [row for row in rows if row["state"] == "READY"] if only_ready else rows


def _tensor(name: str, kind: str, shape: tuple[int | None, ...]) -> dict[str, Any]:
    return {"name": name, "datatype": kind, "shape": [-1 if size is None else size for size in shape]}


def _slot(name: str, kind: str, shape: tuple[int | None, ...]) -> dict[str, Any]:
    data_type = "TYPE_STRING" if kind == "BYTES" else f"TYPE_{kind}"
    return {"name": name, "data_type": data_type, "dims": [-1 if size is None else size for size in shape[1:]]}
