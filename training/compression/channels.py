"""Which channels of a network belong together: what has to be cut when a filter or a neuron is.

A small dependency graph after Fang et al., "DepGraph: towards any structural pruning" (CVPR 2023, arXiv 2301.12900, section 3): a
layer that makes channels founds a group; layers that treat each channel alone pass it on; an addition makes two groups one, a
concatenation puts them one behind the other. The input, the output and whatever goes through a layer that is not known here are never
cut.

A channel may be cut only if nothing is left of it when its weights are zero, for that is the loss which its importance estimates. So
whatever has an activation with f(0) ≠ 0 stays whole, and so does whatever goes into a normalization over several channels (layer
normalization, group normalization unless each channel is a group): without a channel the mean and the deviation of the others would be
taken over fewer, which is another function than with that channel at zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.onnx.graph import TRAIN_ONLY, Call, Graph, Tensor

#: The groups of a tensor's channels, one behind the other.
Channels = tuple[str, ...]

#: Layers that found a group, and the argument that says how many channels it has.
MAKERS = {
    **dict.fromkeys(("Conv1D", "Conv2D", "SeparableConv1D", "SeparableConv2D"), "filters"),
    **dict.fromkeys(("Dense", "LSTM", "GRU", "SimpleRNN", "Bidirectional"), "units"),
    "Embedding": "output_dim",
}
#: Layers that treat each channel alone, some of them under a condition (see `_passes`).
_PASSING = {
    *("Rescaling", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "BatchNormalization", "GroupNormalization"),
    *("MaxPooling1D", "AveragePooling1D", "GlobalMaxPooling1D", "GlobalAveragePooling1D", "ZeroPadding1D", "Cropping1D"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D", "ZeroPadding2D", "Cropping2D"),
    *("DepthwiseConv1D", "DepthwiseConv2D", "Flatten", "RepeatVector", *TRAIN_ONLY),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
}
#: Activations with f(0) = 0 that treat each channel alone.
_ZERO_AT_ZERO = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "tanh", "hard_tanh", "softsign"),
    *("silu", "hard_silu", "mish", "gelu"),
}


@dataclass
class Groups:
    """`made` has the group of the channels that a layer makes, `taken` those of the channels it takes; both by the name of its call.

    A group is the name of one of its makers. `fixed` are those that must stay whole. `sizes` are their channels.
    """

    made: dict[str, str] = field(default_factory=dict)
    taken: dict[str, Channels] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph) -> Groups:
        """Follow the channels through the graph."""
        groups, at = cls(), dict[Tensor, Channels]()
        for call in graph.calls:
            before = [at[tensor] for tensor in call.inputs]
            if not call.is_layer:  # x - 1 makes something of nothing
                at[call.output] = groups._keep_whole(call, before)
            elif call.kind in MAKERS and _sums(call.layer):
                at[call.output] = groups._make(call, before[0])
            elif call.kind in _PASSING and _passes(call) and groups._alike(before):
                at[call.output] = groups._take(call.name, groups._joined(before))
            elif call.kind == "Concatenate" and groups._are_channels(call, before, graph):
                at[call.output] = sum(before, ())
            else:
                at[call.output] = groups._keep_whole(call, before)
        groups.fixed.update(at[graph.output])
        return groups.settled()

    def settled(self) -> Groups:
        """With every group called by its root."""
        return Groups(
            {name: self._root(group) for name, group in self.made.items()},
            {name: self._roots(channels) for name, channels in self.taken.items()},
            {self._root(group) for group in self.fixed},
            {self._root(group): size for group, size in self.sizes.items()},
        )

    def free(self) -> dict[str, int]:
        """The groups that may be cut, with the number of their channels."""
        return {group: size for group, size in self.sizes.items() if group not in self.fixed}

    def members(self, group: str) -> list[str]:
        """The calls that make the channels of a group, each layer once."""
        return [name for name, made in self.made.items() if made == group]

    def _make(self, call: Call, before: Channels) -> Channels:
        """The channels of a layer that founds a group. The two directions of a recurrent layer lose the same units."""
        self._take(call.name, before)
        self.made[call.name] = call.name
        width = call.shape[-1] or 0
        twice = call.kind == "Bidirectional" and call.layer.merge_mode == "concat"
        self.sizes[call.name] = width // 2 if twice else width
        if not all(_zero_at_zero(getattr(layer, "activation", "linear")) for layer in _parts(call.layer)):
            self.fixed.add(call.name)
        return self._roots((call.name,) * (1 + twice))

    def _take(self, name: str, channels: Channels) -> Channels:
        """Note what a layer takes. One that is used again takes the same, channel by channel, or both stay whole."""
        earlier = self.taken.setdefault(name, channels)
        if self._alike([earlier, channels]):
            self.taken[name] = self._joined([earlier, channels])
            return self.taken[name]
        self.fixed.update(earlier, channels)
        return channels

    def _keep_whole(self, call: Call, before: list[Channels]) -> Channels:
        self.fixed.update(*before, (call.name,))
        self.made[call.name] = call.name
        self.sizes[call.name] = (call.shape[-1] if call.shape else 0) or 0
        return (call.name,)

    def _are_channels(self, call: Call, before: list[Channels], graph: Graph) -> bool:
        """Whether a concatenation is one of channels, and not of what was flattened or of places."""
        shapes = {each.output: each.shape for each in graph.calls}
        widths = [shapes[tensor][-1] for tensor in call.inputs]
        last = call.layer.axis in (-1, len(call.shape))
        return last and all(width == sum(self.sizes[group] for group in each) for width, each in zip(widths, before, strict=True))

    def _alike(self, several: list[Channels]) -> bool:
        """Whether they can be joined: as many groups, of the same sizes."""
        return len({tuple(self.sizes[group] for group in channels) for channels in several}) == 1

    def _joined(self, several: list[Channels]) -> Channels:
        first, *others = several
        for channels in others:
            for one, other in zip(first, channels, strict=True):
                self._join(one, other)
        return self._roots(first)

    def _join(self, one: str, other: str) -> None:
        roots = self._root(one), self._root(other)
        if roots[0] != roots[1]:
            self._parents[roots[1]] = roots[0]

    def _roots(self, channels: Channels) -> Channels:
        return tuple(self._root(group) for group in channels)

    def _root(self, group: str) -> str:
        while group in self._parents:
            group = self._parents[group]
        return group


def _parts(layer: Any) -> list[Any]:
    """The layer, or the two of a Bidirectional."""
    return [layer.forward_layer, layer.backward_layer] if type(layer).__name__ == "Bidirectional" else [layer]


def _sums(layer: Any) -> bool:
    """Whether each channel that a layer makes is a sum over all that it takes, so that one can be left away on either side."""
    parts = _parts(layer)
    if len(parts) > 1:
        return all(type(each).__name__ in ("LSTM", "GRU", "SimpleRNN") for each in parts) and parts[0].units == parts[1].units
    return getattr(layer, "groups", 1) == 1 and getattr(layer, "depth_multiplier", 1) in (1, None)


def _passes(call: Call) -> bool:
    """Whether a layer that may pass channels on does so: each by itself, and nothing made of nothing."""
    layer = call.layer
    if call.kind == "GroupNormalization":
        return len(call.shape) > 1 and layer.groups in (-1, call.shape[-1]) and layer.axis in (-1, len(call.shape))
    if call.kind == "BatchNormalization":
        return layer.axis in (-1, len(call.shape))
    if call.kind == "Rescaling":
        return not np.any(layer.offset)
    if call.kind == "PReLU":
        return len(call.shape) not in (layer.shared_axes or ())
    return getattr(layer, "depth_multiplier", 1) in (1, None) and _zero_at_zero(getattr(layer, "activation", "linear"))


def _zero_at_zero(activation: Any) -> bool:
    return (activation if isinstance(activation, str) else getattr(activation, "__name__", "")) in _ZERO_AT_ZERO
