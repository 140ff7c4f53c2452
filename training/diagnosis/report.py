"""What a diagnosis and its remedies come to, as text, as data, and as a recipe with the reasons for what was changed."""

from __future__ import annotations

import dataclasses
from typing import Any

from training.diagnosis.repair import Repair, Trial
from training.recipe import Recipe, Source
from training.recipe_text import to_toml


def mended(source: Source, done: Repair) -> str:
    """The recipe as TOML. What is bounded for the trials alone (`max_updates`) and where its base lies stay as they were."""
    kept = {name: getattr(source.recipe, name) for name in ("base",)}
    if source.recipe.max_updates > done.trials[0].recipe.max_updates == done.recipe.max_updates:
        kept["max_updates"] = source.recipe.max_updates
    recipe = dataclasses.replace(done.recipe, **kept)
    return to_toml(Source(recipe, source.name, source.reasons | _reasons(done)))


def _reasons(done: Repair) -> dict[str, str]:
    """Of each key that a kept remedy changed: for what, and with what proof."""
    reasons: dict[str, str] = {}
    for trial in done.changes:
        assert trial.parent is not None
        why = (f"{trial.reason}: " if trial.reason else "") + trial.change + (f" ({trial.proof})" if trial.proof else "")
        reasons |= dict.fromkeys(_changed(done.trials[trial.parent].recipe, trial.recipe), why)
    return reasons


def _changed(before: Recipe, after: Recipe) -> list[str]:
    """The keys that differ, in layers that are there in both by place.

    >>> from training.recipe import read_recipe
    >>> recipe = read_recipe().recipe
    >>> _changed(recipe, dataclasses.replace(recipe, learning_rate=0.5))
    ['learning_rate']
    """
    names = [field.name for field in dataclasses.fields(Recipe) if field.name != "layers"]
    keys = [name for name in names if getattr(before, name) != getattr(after, name)]
    for place, layer in enumerate(after.layers):
        old = before.layers[place] if len(before.layers) == len(after.layers) else {}
        keys += [f"layers.{place}.{key}" for key, value in layer.items() if old and old.get(key) != value]
    return keys


def as_text(done: Repair, by_chance: Repair | None, out: str) -> str:
    lines = [f"found: {', '.join(done.trials[0].found) or 'nothing wrong'}", *_tree(done.trials)]
    lines.append(f"test: {done.test_before:.4f} as it was, {done.test_after:.4f} now ({done.proof})")
    if by_chance is not None:
        lines += ["", *_tree(by_chance.trials), f"test: {by_chance.test_after:.4f} with remedies drawn at random"]
    lines += ["", *(f"still {finding}" for finding in done.findings if finding.ill)]
    lines.append(
        f"the mended recipe is {out}; next: veleta train {out}" if done.changes else "no remedy was proved to help; nothing was changed"
    )
    return "\n".join(lines)


def _tree(trials: tuple[Trial, ...]) -> list[str]:
    """Each trial below the one that it changes, further in."""
    depths: dict[int, int] = {}
    for trial in trials:
        depths[trial.number] = 0 if trial.parent is None else depths[trial.parent] + 1
    return ["  " * depths[trial.number] + str(trial) for trial in trials]


def as_data(done: Repair, by_chance: Repair | None, recipe: str, out: str) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "found": list(done.trials[0].found),
        "verdicts": [dataclasses.asdict(finding.verdict()) for finding in done.findings],
        "arms": {name: _arm(arm) for name, arm in (("remedy", done), ("random", by_chance)) if arm is not None},
        "recipe": recipe,
        "file": out if done.changes else None,
    }


def _arm(done: Repair) -> dict[str, Any]:
    trials = [dataclasses.asdict(trial) | {"recipe": trial.recipe.to_dict()} for trial in done.trials]
    proof = dataclasses.asdict(done.proof)
    return {
        "trials": trials,
        "kept": [trial.number for trial in done.changes],
        "test": {"before": done.test_before, "after": done.test_after, "proof": proof},
    }
