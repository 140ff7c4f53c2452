"""What can be served: known before anything is fitted, since a training that cannot be exported is an hour lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from training.errors import RecipeError
from training.onnx.activations import ACTIVATIONS
from training.onnx.layers import EMITTERS
from training.recipe import Layer, Recipe

#: The Keras layers that a block is made of.
_MADE_OF = {
    "Rows": ("Reshape",),
    "PositionalEmbedding": ("EinsumDense",),
    "TransformerEncoder": ("LayerNormalization", "MultiHeadAttention", "Dense", "Dropout", "Add"),
    "Residual": ("Add",),
}


def check_servable(recipe: Recipe, written: Collection[str] = EMITTERS.keys()) -> None:
    """Raise RecipeError that names the first layer, or activation, which has no ONNX form here. `written` are the kinds that have one."""
    for number, layer in enumerate(recipe.layers):
        for where, part in _parts(f"layers.{number}", layer):
            for kind in _MADE_OF.get(part["kind"], (part["kind"],)):
                if kind not in written:
                    raise RecipeError(f"{where} has the kind {part['kind']!r}; those that can be served are {_served(written)}")
            _check_activation(f"{where}.activation", part.get("activation"))
    _check_activation("output_activation", None if recipe.output_activation == "auto" else recipe.output_activation)


def _served(written: Collection[str]) -> str:
    """The kinds that a recipe may name."""
    blocks = [block for block, kinds in _MADE_OF.items() if all(kind in written for kind in kinds)]
    return ", ".join([*written, *blocks])


def _parts(where: str, layer: Layer) -> Iterator[tuple[str, Layer]]:
    """A layer of the recipe and all that it holds."""
    yield where, layer
    inner = layer.get("layers", [layer["layer"]] if isinstance(layer.get("layer"), dict) else [])
    for number, part in enumerate(inner if isinstance(inner, list) else []):
        if isinstance(part, dict) and isinstance(part.get("kind"), str):
            yield from _parts(f"{where}.layers.{number}" if "layers" in layer else f"{where}.layer", part)


def _check_activation(where: str, activation: object) -> None:
    if isinstance(activation, str) and activation not in ACTIVATIONS:
        raise RecipeError(f"{where} is {activation!r}; those that can be served are {', '.join(ACTIVATIONS)}")
