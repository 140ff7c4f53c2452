"""Which channels of a network belong together: what has to be cut when a filter or a neuron is.

A small dependency graph after Fang et al., "DepGraph: towards any structural pruning" (CVPR 2023, arXiv 2301.12900, section 3): a
layer that makes channels founds a group; layers that treat each channel alone pass it on; an addition makes two groups one. The
input, the output and whatever goes through a layer that is not known here are never cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from training.onnx.graph import TRAIN_ONLY, Graph, Tensor

#: Layers that found a group, and the argument that says how many channels it has.
MAKERS = {"Conv2D": "filters", "Dense": "units"}
#: Layers that treat each channel alone.
PASSING = {
    *("Rescaling", "Activation", "ReLU", "LeakyReLU", "BatchNormalization", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D"),
    *("Flatten", "Add", *TRAIN_ONLY),
}


@dataclass
class Groups:
    """`made` has the group of the channels that a layer makes, `taken` that of those it takes; both by the layer's name.

    A group is the name of one of its makers. `fixed` are those that must stay whole. `sizes` are their channels.
    """

    made: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph) -> Groups:
        """Follow the channels through the graph."""
        groups, at = cls(), dict[Tensor, str]()
        uses: dict[str, int] = {}
        for call in graph.calls:
            name = call.layer.name
            uses[name] = uses.get(name, 0) + 1
            before = [at[tensor] for tensor in call.inputs]
            for group in before:
                groups.taken[name] = groups._join(groups.taken.get(name, group), group) if uses[name] > 1 else group
            if call.kind in MAKERS and not (call.kind == "Conv2D" and call.layer.groups > 1):
                at[call.output] = groups._found(name, int(getattr(call.layer, MAKERS[call.kind])))
            elif call.kind in PASSING and before:
                at[call.output] = groups._pass_on(name, before)
            else:
                groups._fix(*before)
                at[call.output] = groups._found(name, 0)
                groups._fix(at[call.output])
        groups._fix(at[graph.output])
        return groups.settled()

    def settled(self) -> Groups:
        """With every group called by its root."""
        return Groups(
            {name: self._root(group) for name, group in self.made.items()},
            {name: self._root(group) for name, group in self.taken.items()},
            {self._root(group) for group in self.fixed},
            {self._root(group): size for group, size in self.sizes.items() if size},
        )

    def free(self) -> dict[str, int]:
        """The groups that may be cut, with the number of their channels."""
        return {group: size for group, size in self.sizes.items() if group not in self.fixed}

    def members(self, group: str) -> list[str]:
        """The layers that make the channels of a group."""
        return [name for name, made in self.made.items() if made == group]

    def _found(self, name: str, size: int) -> str:
        self.made[name] = name
        self.sizes[name] = size
        return self._root(name)

    def _pass_on(self, name: str, before: list[str]) -> str:
        joined = before[0]
        for group in before[1:]:
            joined = self._join(joined, group)
        self.taken[name] = joined
        return joined

    def _fix(self, *groups: str) -> None:
        self.fixed.update(groups)

    def _join(self, one: str, other: str) -> str:
        roots = self._root(one), self._root(other)
        if roots[0] != roots[1]:
            self._parents[roots[1]] = roots[0]
        return roots[0]

    def _root(self, group: str) -> str:
        while group in self._parents:
            group = self._parents[group]
        return group
