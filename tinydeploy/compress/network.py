"""A Keras model as a list of steps, and back: the only module that looks into Keras's graph.

Keras 3 has no public way to walk a functional model without calling its layers, which would add to the given model;
what is used of its inside has been the same since Keras 3.0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.compress.framework import Layer, Model, Structure, Tensor, keras
from tinydeploy.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A tensor of the network, by its number."""

    number: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One call of a layer, or of an operation such as ``+``. ``args`` and ``kwargs`` have a `Slot` for each tensor."""

    layer: Layer
    name: str
    args: Structure
    kwargs: Structure
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def kind(self) -> str:
        """The name of Keras's own class; empty for every other, even one derived from Keras's."""
        cls = type(self.layer)
        return cls.__name__ if cls.__module__.startswith("keras.") else ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The steps in an order in which they can be computed. Nested models are taken apart.

    ``inputs`` and ``outputs`` are structures of `Slot` as the model has them of tensors; ``input_layers`` has the layer
    behind each input, ``shapes`` the shape of every slot, batch included.
    """

    name: str
    inputs: Tensor
    outputs: Structure
    input_layers: Mapping[int, Layer]
    shapes: tuple[tuple[int | None, ...], ...]
    steps: tuple[Step, ...]

    def consumers(self) -> dict[int, list[Step | None]]:
        """Who reads each slot; None stands for the world outside, where it is an output of the model."""
        readers: dict[int, list[Step | None]] = {number: [] for number in range(len(self.shapes))}
        for step in self.steps:
            for number in step.inputs:
                readers[number].append(step)
        for slot in keras.tree.flatten(self.outputs):
            readers[slot.number].append(None)
        return readers


def network_of(model: Model) -> Network:
    """Reads a model.

    Raises:
        UsageError: It is not functional or Sequential, or has not been built.
    """
    functional = _functional(model)
    recording = _Recording()
    inputs = keras.tree.map_structure(lambda tensor: Slot(number=recording.add(tensor)), functional.input)
    input_layers = {
        recording.numbers[id(tensor)]: tensor._keras_history.operation  # noqa: SLF001
        for tensor in functional.inputs
    }
    recording.record(functional, prefix="")
    return Network(
        name=model.name,
        inputs=inputs,
        outputs=keras.tree.map_structure(recording.slot, functional.output),
        input_layers=input_layers,
        shapes=tuple(recording.shapes),
        steps=tuple(recording.steps),
    )


def _functional(model: Model) -> Model:
    """The model as a functional one; a Sequential one shares its layers with it."""
    hint = "build it of layers with keras.Sequential or keras.Model(inputs, outputs), with an Input"
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise UsageError(f"the model {model.name!r} has not been built", hint=hint)
        return keras.Model(model.inputs[0], model.outputs[0])
    if not hasattr(model, "_nodes_by_depth"):
        raise UsageError(f"{type(model).__name__} {getattr(model, 'name', '')!r} is not a functional model", hint=hint)
    return model


class _Recording:
    """Numbers tensors and collects steps while models, and those nested in them, are gone through."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.shapes: list[tuple[int | None, ...]] = []
        self.steps: list[Step] = []
        self._alive: list[Tensor] = []  # ids are only unique among objects that live
        self._names: dict[str, Layer] = {}

    def add(self, tensor: Tensor) -> int:
        self._alive.append(tensor)
        self.numbers[id(tensor)] = len(self.shapes)
        self.shapes.append(tuple(tensor.shape))
        return len(self.shapes) - 1

    def slot(self, value: object) -> object:
        return Slot(number=self.numbers[id(value)]) if isinstance(value, keras.KerasTensor) else value

    def record(self, model: Model, *, prefix: str) -> None:
        """Appends the steps of a model whose inputs have numbers."""
        nodes_by_depth = model._nodes_by_depth  # noqa: SLF001
        for depth in sorted(nodes_by_depth, reverse=True):
            for node in nodes_by_depth[depth]:
                if node.is_input:
                    continue
                if isinstance(node.operation, keras.Model) and hasattr(node.operation, "inputs"):
                    self._record_nested(node, prefix=prefix)
                else:
                    self._record_step(node, prefix=prefix)

    def _record_nested(self, node: Structure, *, prefix: str) -> None:
        inner = _functional(node.operation)
        for tensor, given in zip(inner.inputs, node.input_tensors, strict=True):
            self._alive.append(tensor)
            self.numbers[id(tensor)] = self.numbers[id(given)]
        # A ``training=...`` of that call is lost, as it is in Keras: what the outer model is called with overrides it.
        self.record(inner, prefix=f"{prefix}{node.operation.name}_")
        for tensor, made in zip(node.outputs, inner.outputs, strict=True):
            self._alive.append(tensor)
            self.numbers[id(tensor)] = self.numbers[id(made)]

    def _record_step(self, node: Structure, *, prefix: str) -> None:
        layer, arguments = node.operation, node.arguments
        args, kwargs = (keras.tree.map_structure(self.slot, part) for part in (arguments.args, arguments.kwargs))
        inputs = tuple(self.numbers[id(tensor)] for tensor in arguments.keras_tensors)
        outputs = tuple(self.add(tensor) for tensor in node.outputs)
        step = Step(
            layer=layer, name=self._name(layer, prefix), args=args, kwargs=kwargs, inputs=inputs, outputs=outputs
        )
        self.steps.append(step)

    def _name(self, layer: Layer, prefix: str) -> str:
        """The layer's own, or with the name of the model that it was in where another layer has that one."""
        name: str = layer.name
        while self._names.setdefault(name, layer) is not layer:
            name = f"{prefix or 'other_'}{name}"
        return name


Caller = Callable[[Step, Structure, Structure], Structure]


def rebuild(
    network: Network,
    call: Caller,
    *,
    enter: Callable[[Tensor, int], Tensor] = lambda tensor, _: tensor,
) -> Model:
    """A new model: ``call`` gets each step with its positional and keyword arguments, and returns what it outputs.

    ``enter`` gets each input's tensor, and the number of its slot, and returns what the steps get of it.
    """
    entries = {
        number: type(layer).from_config(layer.get_config()).output for number, layer in network.input_layers.items()
    }
    tensors: dict[int, Tensor] = {number: enter(tensor, number) for number, tensor in entries.items()}

    def filled(structure: Structure) -> Structure:
        return keras.tree.map_structure(
            lambda leaf: tensors[leaf.number] if isinstance(leaf, Slot) else leaf, structure
        )

    for step in network.steps:
        outputs = keras.tree.flatten(call(step, filled(step.args), filled(step.kwargs)))
        tensors.update(zip(step.outputs, outputs, strict=True))
    inputs = keras.tree.map_structure(lambda slot: entries[slot.number], network.inputs)
    return keras.Model(inputs, filled(network.outputs), name=network.name)


Weights = list[npt.NDArray[np.generic]]


class Copies:
    """New layers for those of a network: one for each, however often it is called.

    They get their weights with `fill`, once they have been built by being called.
    """

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Layer, Layer]] = {}

    def __getitem__(self, layer: Layer) -> Layer:
        """The copy that was made of a layer."""
        return self._copies[id(layer)][1]

    def of(self, step: Step, **changes: object) -> Layer:
        """The copy of the step's layer, made with these changes to its configuration the first time."""
        if id(step.layer) not in self._copies:
            config = {**step.layer.get_config(), "name": step.name, **changes}
            self._copies[id(step.layer)] = (step.layer, type(step.layer).from_config(config))
        return self._copies[id(step.layer)][1]

    def fill(self, weights: Callable[[Layer], Weights] = lambda layer: list(layer.get_weights())) -> None:
        """Gives each copy what ``weights`` says for the layer that it is of."""
        for layer, copy in self._copies.values():
            if isinstance(layer, keras.layers.Layer) and layer.weights:
                copy.set_weights(weights(layer))


def copied(model: Model) -> Model:
    """A model of the same layers and weights, with nothing shared and not compiled."""
    copies = Copies()
    copy = rebuild(network_of(model), lambda step, args, kwargs: copies.of(step)(*args, **kwargs))
    copies.fill()
    return copy
