"""Runs in words: the table, one run, and a comparison, for a terminal."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence

from models.manifest import Metric, Verdict
from monitoring.incidents.wording import duration
from training.diagnosis.facts import GRADIENT
from training.runs.changes import Change, changes, difference
from training.runs.difference import Difference
from training.runs.run import Fit, Run

_COLUMNS = "{:>5}  {:<17}{:<15}{:<8}{:<12}{:>10}{:>10}{:>8}  {:<46}{}"


def table(runs: Sequence[Run]) -> str:
    """One line each, with what changed against the parent, or against the run of that name and kind before it."""
    head = _COLUMNS.format("id", "when (UTC)", "name", "kind", "state", "validation", "test", "took", "what changed", "verdicts")
    lines = [head]
    for place, run in enumerate(runs):
        cells = (run.plan.name, run.plan.kind, run.state, _score(run, "validation"), _score(run, "test"), duration(run.seconds))
        cut = (_shorter(cell, width) for cell, width in zip(cells, (14, 7, 11, 10, 10, 8), strict=True))
        what = _shorter(what_changed(run, runs[place + 1 :]), 45)
        lines.append(_COLUMNS.format(run.id, _moment(run.started), *cut, what, verdict_counts(run.verdicts)).rstrip())
    return "\n".join(lines)


def what_changed(run: Run, earlier: Sequence[Run]) -> str:
    """In a few words. `earlier` are the runs before it, newest first."""
    if run.plan.change:
        return run.plan.change
    before = next((other for other in earlier if (other.plan.name, other.plan.kind) == (run.plan.name, run.plan.kind)), None)
    if before is None:
        return "the first of its kind"
    found = [change for change in changes(before, run) if change.where != "environment"]
    return ", ".join(change.words for change in found) or "nothing"


def verdict_counts(verdicts: Sequence[Verdict]) -> str:
    """The worst kinds first.

    >>> v = Verdict("dead units", "warning", "", "", "")
    >>> verdict_counts([v, v, Verdict("leak", "error", "", "", "")])
    'leak, dead units ×2'
    """
    order = {"error": 0, "warning": 1, "info": 2}
    counted = Counter(verdict.kind for verdict in sorted(verdicts, key=lambda verdict: order[verdict.severity]))
    return ", ".join(kind if count == 1 else f"{kind} ×{count}" for kind, count in counted.items())


def describe_run(run: Run, children: Sequence[Run] = ()) -> str:
    """Everything worth reading about one run."""
    plan, environment = run.plan, run.environment
    rows = ", ".join(f"{count:,} {part}" for part, count in plan.dataset.rows.items())
    lines = [
        f"run {run.id}: {plan.kind} of {plan.name}, {run.state}{f' ({run.error})' if run.error else ''}",
        f"{_moment(run.started)} UTC, {duration(run.seconds)}{f', under run {plan.parent}' if plan.parent else ''}"
        + (f": {plan.change}" if plan.change else ""),
        f"data      {plan.dataset.name} ({rows}), sha256 {plan.dataset.sha256[:12]}…",
        f"where     {environment.processor}, Python {environment.python}, commit {(environment.git_commit or 'none')[:12]}",
        f"packages  {', '.join(f'{name} {version}' for name, version in environment.packages.items())}",
        "",
        *(f"{part:<10} {name} {_interval(metric)}" for part, scores in run.result.scores.items() for name, metric in scores.items()),
        *([f"{'version':<10} {plan.name}/{run.result.version}"] if run.result.version else []),
        *([f"{'size':<10} {run.result.parameters:,} parameters"] if run.result.parameters else []),
        *(f"{key.replace('_', ' '):<10} {value}" for key, value in run.result.facts.items()),
        *(line for fit in run.fits for line in (_fit(fit), _gradients(fit)) if line),
        *(f"{verdict.severity}: {verdict.kind} in {verdict.where}. {verdict.evidence} {verdict.remedy}" for verdict in run.verdicts),
        "",
        f"recipe {plan.recipe_name}",
        *(f"  {key} = {value}{f'  # {plan.reasons[key]}' if key in plan.reasons else ''}" for key, value in _keys(run).items()),
        *(f"  layer {place}: {_layer(layer)}" for place, layer in enumerate(plan.recipe.get("layers", []))),
    ]
    if children:
        lines += ["", "below it:", table(children[::-1])]
    return "\n".join(lines)


def describe_comparison(before: Run, after: Run) -> str:
    """What changed from one run to the other, and what came of it."""
    found = changes(before, after)
    lines = [f"from run {before.id} ({_moment(before.started)}) to run {after.id} ({_moment(after.started)})", "", "what changed"]
    lines += [f"  {change.where:<12} {_full(change)}" for change in found] or ["  nothing: the same recipe, data and environment"]
    lines += ["", "what came of it"]
    for part in ("validation", "test"):
        if one := difference(before, after, part):
            lines.append(f"  {part:<12} accuracy {_score(before, part)} → {_score(after, part)}: {describe_difference(one)}")
    if lines[-1] == "what came of it":
        lines += [f"  run {run.id}: {run.state}{f', {run.error}' if run.error else ''}" for run in (before, after)]
    lines.append(f"  {'took':<12} {duration(before.seconds)} → {duration(after.seconds)}")
    lines.append(f"  {'verdicts':<12} {verdict_counts(before.verdicts) or 'none'} → {verdict_counts(after.verdicts) or 'none'}")
    return "\n".join(lines)


def describe_difference(one: Difference) -> str:
    """A difference of accuracies in points.

    >>> from training.runs.difference import paired
    >>> describe_difference(paired(3, 1, 100))
    '+2.00 points (-2.32 to +6.24, p = 0.62, same rows): no difference beyond chance'
    """
    test = "same rows" if one.paired else "other rows"
    sizes = (f"{100 * value:+.2f}" for value in (one.value, one.lower, one.upper))
    value, lower, upper = sizes
    return f"{value} points ({lower} to {upper}, p = {one.p:.2g}, {test}): {one.words}"


def _full(change: Change) -> str:
    return f"{change.key}: {_value(change.before)} → {_value(change.after)}"


def _value(value: object) -> str:
    return "(none)" if value is None else str(value)


def _keys(run: Run) -> dict[str, object]:
    return {key: value for key, value in run.plan.recipe.items() if key != "layers"}


def _layer(layer: dict[str, object]) -> str:
    return f"{layer.get('kind')} {', '.join(f'{key} {value}' for key, value in layer.items() if key != 'kind')}".rstrip()


def _fit(fit: Fit) -> str:
    best = fit.best
    if best is None:
        return f"{fit.what:<10} {fit.epochs} epochs"
    figures = (f"{name} {curve[best]:.4f}" for name, curve in fit.curves.items() if len(curve) > best and curve[best] is not None)
    shown = [figure for figure in figures if not figure.startswith(GRADIENT)]
    return f"{fit.what:<10} {fit.epochs} epochs, the best is {best + 1}: {', '.join(shown)}"


def _gradients(fit: Fit) -> str:
    """How large the gradient of each layer was, from the first epoch that it was measured in to the last."""
    norms = {layer: [value for value in fit.curves[GRADIENT + layer] if value is not None] for layer in fit.layers}
    words = [f"{layer} {values[0]:.2g} → {values[-1]:.2g}" for layer, values in norms.items() if values]
    return f"{'gradients':<10} {', '.join(words)}" if words else ""


def _score(run: Run, part: str) -> str:
    found = run.score(part)
    return f"{found[1].value:.4f}" if found else "–"


def _interval(metric: Metric) -> str:
    return f"{metric.value:.4f} ({metric.lower:.4f} to {metric.upper:.4f}, {metric.rows:,} rows)"


def _moment(text: str) -> str:
    return datetime.datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M")


def _shorter(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
