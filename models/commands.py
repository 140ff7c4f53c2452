"""The shelf's commands: `models`, `show`, `promote`, `rollback`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from typing import Any

from models.configuration import store_root
from models.errors import StoreError
from models.manifest import METRICS, Manifest, Variant
from models.store import Published, Store


def add_store(parser: argparse.ArgumentParser) -> None:
    """The argument that every command of every room has."""
    parser.add_argument("--store", metavar="DIR", help="the folder of the models (VELETA_STORE, default models)")


def open_store(arguments: argparse.Namespace) -> Store:
    return Store(store_root(arguments.store, os.environ))


def configure_models(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def models(arguments: argparse.Namespace) -> None:
    store = open_store(arguments)
    rows = [_row(store, name) for name in store.names()]
    if arguments.json:
        print(json.dumps({"models": rows}, indent=2, ensure_ascii=False))
        return
    for row in rows:
        marks = {row["candidate"]: "?", row["live"]: "*"}
        versions = " ".join(f"{v}{marks.get(v, '')}" for v in row["versions"])
        print(f"{row['name']:<24} versions {versions}   (* live{', ? candidate' if row['candidate'] else ''})")
    if not rows:
        print(f"no model in {store.root}; train one with `veleta train`")


def _row(store: Store, name: str) -> dict[str, Any]:
    return {"name": name, "versions": store.versions(name), "live": store.live(name), "candidate": store.candidate(name)}


def configure_show(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("model", metavar="NAME[/VERSION]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def show(arguments: argparse.Namespace) -> None:
    name, _, version = arguments.model.partition("/")
    if version and not version.isdecimal():
        raise StoreError(f"{version!r} is not a version; give its number, as in {name}/1")
    published = open_store(arguments).open(name, int(version) if version else None)
    published.verify()
    if arguments.json:
        print(json.dumps(dataclasses.asdict(published.manifest), indent=2, ensure_ascii=False))
    else:
        print(_describe(published.manifest))


def _describe(manifest: Manifest) -> str:
    data = manifest.training.dataset
    lines = [
        f"{manifest.name}/{manifest.version}   {_task(manifest)}, {manifest.created}",
        f"trained on {data.name} ({', '.join(f'{rows:,} {part}' for part, rows in data.rows.items())} rows)",
        "",
        f"{'variant':<14}{_heads(manifest)}{'parameters':>12}{'kB':>8}{'ms, 1':>8}{'ms, 32':>8}",
    ]
    for variant in manifest.variants:
        mark = "*" if variant.name == manifest.default_variant else ""
        lines.append(
            f"{variant.name + mark:<14}{_metrics(manifest, variant)}{variant.parameters:>12,}"
            f"{variant.bytes / 1e3:>8.0f}{variant.latency_seconds.batch['1'] * 1e3:>8.2f}{variant.latency_seconds.batch['32'] * 1e3:>8.2f}"
            + ("" if variant.published else f"   not published: {variant.reason}")
        )
    lines += ["* served by default"]
    lines += [f"{verdict.severity}: {verdict.kind} in {verdict.where}: {verdict.remedy}" for verdict in manifest.training.verdicts]
    return "\n".join(lines)


def _task(manifest: Manifest) -> str:
    return f"{manifest.task}, {len(manifest.classes)} classes" if manifest.classes else manifest.task


def _heads(manifest: Manifest) -> str:
    return "".join(f"{name:>10}{'95 % interval':>22}" for name in METRICS[manifest.task])


def _metrics(manifest: Manifest, variant: Variant) -> str:
    """Shares to four decimals, errors in the unit of the target to four digits. A dash for what an imported model was not tested on."""
    form = ".4f" if manifest.task == "classification" else ".4g"
    found = [variant.metrics.get(name) for name in METRICS[manifest.task]]
    return "".join(
        f"{metric.value:>10{form}}{f'{metric.lower:{form}} to {metric.upper:{form}}':>22}" if metric else f"{'–':>10}{'':>22}"
        for metric in found
    )


def configure_promote(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("version", metavar="VERSION", type=int)


def promote(arguments: argparse.Namespace) -> None:
    _say_live(open_store(arguments).promote(arguments.name, arguments.version))


def configure_rollback(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("name", metavar="NAME")


def rollback(arguments: argparse.Namespace) -> None:
    _say_live(open_store(arguments).rollback(arguments.name))


def _say_live(published: Published) -> None:
    print(f"{published.manifest.name}/{published.manifest.version} is live")
