"""Who may look on while a network is fitted: the seam between fitting and diagnosis.

A watch brings a class of model that measures inside its training step, and callbacks that read what it measured. Fitting does not
know what is looked for.
"""

from __future__ import annotations

from typing import Any, Protocol

from training.data.parts import Problem, Split


class Watch(Protocol):
    """Looks on while a network is fitted, and changes nothing of what is learnt."""

    @property
    def model_class(self) -> type[Any]:
        """The class that is compiled and fitted: `keras.Model`, or a subclass with a `train_step` of its own."""

    def callbacks(self, network: Any, problem: Problem, split: Split) -> list[Any]:
        """Keras callbacks for the fit. `network` is the bare one: without augmentation, as it will be served."""
