"""Which channels of a network have to stay or go together.

Every channel that a layer makes has a number. A tensor's last axis is an array of such numbers, which layers pass on,
repeat (Flatten), join (Concatenate) or tie to each other (Add). Whatever a number comes by goes with it: the filter
that makes the channel, and the weights of what reads it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.compress.framework import Structure, keras
from tinydeploy.compress.kinds import (
    DEPTHWISE,
    ELEMENTWISE_FUNCTIONS,
    GLOBAL_AVERAGES,
    IN_TRAINING,
    MAKERS,
    MERGING,
    PLACES,
    RECTIFIERS,
    SCALES,
)
from tinydeploy.compress.network import Network, Slot, Step

Numbers = npt.NDArray[np.int64]

_PASSING = RECTIFIERS | IN_TRAINING | PLACES | GLOBAL_AVERAGES


class Ties:
    """Numbers that belong together: a union-find, in which the smallest number stands for all that are tied to it."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def tie(self, one: Numbers, other: Numbers) -> None:
        """Ties the numbers of two arrays of one length, pair by pair."""
        for pair in zip(one.tolist(), other.tolist(), strict=True):
            first, second = sorted(self._root(number) for number in pair)
            self._parents[second] = first

    def roots(self, numbers: Numbers) -> Numbers:
        """What stands for each of the numbers."""
        return np.array([self._root(number) for number in numbers.tolist()], np.int64)

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number


@dataclass(frozen=True, kw_only=True, eq=False)
class Channels:
    """The channels of a network.

    ``of_slot`` has the numbers along each slot's last axis. ``layers`` has a step of every layer whose weights have to
    follow, with the numbers of the channels that it reads and of those that it makes. There are ``count`` numbers;
    ``ties`` says which have to stay or go together, and ``fixed``, by number, which have to stay.
    """

    of_slot: dict[int, Numbers]
    layers: tuple[tuple[Step, Numbers, Numbers], ...]
    ties: Ties
    count: int
    fixed: npt.NDArray[np.bool_]


def channels_of(network: Network) -> Channels:
    """Traces the channels from the inputs of a network to its outputs, which are both fixed."""
    total = sum(shape[-1] or 0 for shape in network.shapes if len(shape) > 1)
    tracing = _Tracing(network, total)
    for number in network.input_layers:
        tracing.stop_at(number)
    for step in network.steps:
        tracing.trace(step)
    for readers_of, readers in network.consumers().items():
        if None in readers:
            tracing.fix(tracing.of_slot[readers_of])
    return tracing.finished()


class _Tracing:
    """The state while the steps are gone through in their order."""

    def __init__(self, network: Network, total: int) -> None:
        self.of_slot: dict[int, Numbers] = {}
        self._network = network
        self._ties = Ties(total)
        self._fixed: list[Numbers] = []
        self._count = 0
        self._layers: dict[int, tuple[Step, Numbers, Numbers]] = {}

    def finished(self) -> Channels:
        fixed = np.zeros(self._count, bool)
        fixed[self._ties.roots(np.concatenate(self._fixed))] = True
        return Channels(
            of_slot=self.of_slot,
            layers=tuple(self._layers.values()),
            ties=self._ties,
            count=self._count,
            fixed=fixed[self._ties.roots(np.arange(self._count))],
        )

    def fix(self, numbers: Numbers) -> None:
        """These have to stay."""
        self._fixed.append(numbers)

    def stop_at(self, slot: int) -> None:
        """Nothing is known of how this tensor is made: all of its channels stay."""
        self.of_slot[slot] = self._new(slot)
        self.fix(self.of_slot[slot])

    def trace(self, step: Step) -> None:
        rule = self._rule(step)
        made = rule(step, [self.of_slot[number] for number in step.inputs]) if rule else None
        if made is None:
            for number in step.inputs:
                self.fix(self.of_slot[number])
            for number in step.outputs:
                self.stop_at(number)
        else:
            self.of_slot[step.outputs[0]] = made

    def _rule(self, step: Step) -> Callable[[Step, list[Numbers]], Numbers | None] | None:
        if getattr(step.layer, "data_format", "channels_last") != "channels_last" or len(step.outputs) != 1:
            return None
        rules = (
            (MAKERS, self._make),
            (DEPTHWISE, self._repeat),
            (SCALES, self._scale),
            (_PASSING, self._pass),
            (MERGING, self._merge),
            (frozenset({"Activation"}), self._activate),
            (frozenset({"Flatten"}), self._flatten),
            (frozenset({"Concatenate"}), self._concatenate),
        )
        return next((rule for kinds, rule in rules if step.kind in kinds), None)

    def _make(self, step: Step, given: list[Numbers]) -> Numbers | None:
        if getattr(step.layer, "groups", 1) != 1:
            return None
        return self._activated(step, self._weighted(step, given[0], lambda: self._new(step.outputs[0])))

    def _repeat(self, step: Step, given: list[Numbers]) -> Numbers:
        times = step.layer.depth_multiplier
        return self._activated(step, self._weighted(step, given[0], lambda: np.repeat(given[0], times)))

    def _activated(self, step: Step, made: Numbers) -> Numbers:
        """A softmax, or a function that is not known, needs all channels."""
        if not _is_elementwise(step.layer.activation):
            self.fix(made)
        return made

    def _scale(self, step: Step, given: list[Numbers]) -> Numbers | None:
        rank = len(self._network.shapes[step.inputs[0]])
        axis = getattr(step.layer, "axis", -1)
        if axis not in (-1, rank - 1) or rank - 1 in (getattr(step.layer, "shared_axes", None) or ()):
            return None
        return self._weighted(step, given[0], lambda: given[0])

    def _weighted(self, step: Step, read: Numbers, make: Callable[[], Numbers]) -> Numbers:
        """A layer has one set of weights, however often it is called: its calls read and make the same channels."""
        known = self._layers.get(id(step.layer))
        if known is None:
            self._layers[id(step.layer)] = (step, read, make())
        else:
            self._ties.tie(known[1], read)
        return self._layers[id(step.layer)][2]

    def _pass(self, _: Step, given: list[Numbers]) -> Numbers:
        return given[0]

    def _activate(self, step: Step, given: list[Numbers]) -> Numbers:
        return self._activated(step, given[0])

    def _merge(self, step: Step, given: list[Numbers]) -> Numbers | None:
        others = [part for part in (*_leaves(step.args), *_leaves(step.kwargs)) if not isinstance(part, Slot)]
        if not given or not all(isinstance(other, int | float | None) for other in others):
            return None
        wide = [numbers for numbers in given if len(numbers) > 1]
        if not wide or len({len(numbers) for numbers in wide}) > 1:
            return None
        for numbers in given:
            if len(numbers) == 1:  # it is repeated for every channel of the others
                self.fix(numbers)
            else:
                self._ties.tie(wide[0], numbers)
        return wide[0]

    def _flatten(self, step: Step, given: list[Numbers]) -> Numbers | None:
        places = self._network.shapes[step.inputs[0]][1:-1]
        return None if None in places else np.tile(given[0], math.prod(size or 0 for size in places))

    def _concatenate(self, step: Step, given: list[Numbers]) -> Numbers | None:
        if step.layer.axis in (-1, len(self._network.shapes[step.inputs[0]]) - 1):
            return np.concatenate(given)
        for numbers in given:
            self._ties.tie(given[0], numbers)
        return given[0]

    def _new(self, slot: int) -> Numbers:
        shape = self._network.shapes[slot]
        numbers = np.arange(self._count, self._count + (shape[-1] or 0 if len(shape) > 1 else 0))
        self._count += len(numbers)
        return numbers


def _is_elementwise(activation: object) -> bool:
    module, name = getattr(activation, "__module__", ""), getattr(activation, "__name__", "")
    return module.startswith("keras.") and name in ELEMENTWISE_FUNCTIONS


def _leaves(structure: Structure) -> list[Structure]:
    return list(keras.tree.flatten(structure))
