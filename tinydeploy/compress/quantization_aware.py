"""Quantisation-aware training: the network learns with the rounding that conversion to int8 will do to it.

B. Jacob et al.: Quantization and training of neural networks for efficient integer-arithmetic-only inference, 2018,
arXiv:1712.05877; R. Krishnamoorthi: Quantizing deep convolutional networks for efficient inference, 2018,
arXiv:1806.08342, for scales per channel and for batch normalisation that is frozen from the start.
"""

from tinydeploy.compress.fake_quant import QuantizedKernel, QuantizedValues
from tinydeploy.compress.folding import fold
from tinydeploy.compress.framework import Data, Loss, Model, Optimizer, Option, Structure, Tensor
from tinydeploy.compress.kinds import IN_TRAINING, OUTPUT_AXES, PLACES, REARRANGING
from tinydeploy.compress.network import Copies, Network, Step, network_of, rebuild
from tinydeploy.compress.training import Training, fit

# Layers whose output has the scale of their input, so that nothing is rounded once more.
_SAME_SCALE = IN_TRAINING | PLACES | REARRANGING
# Functions whose int8 output has the same scale in every model, about as fine as their range allows.
_FIXED_SCALE = frozenset({"softmax", "log_softmax", "sigmoid", "tanh"})
# What conversion makes part of the op before it, whose output is rounded only after it.
_FUSED = frozenset({"relu", "relu6"})


def quantize_aware(  # noqa: PLR0913
    model: Model,
    x: Data,
    y: Data = None,
    *,
    epochs: int = 10,
    per_channel: bool = True,
    momentum: float = 0.99,
    optimizer: Optimizer = None,
    loss: Loss = None,
    seed: int = 0,
    **options: Option,
) -> Model:
    """Trains a copy of a trained ``model`` on with its weights and activations rounded as in int8.

    What is returned is an ordinary float model, to be converted like any other: its batch normalisations are folded
    into the layers before them (those that cannot be stay, and are frozen while it is trained), and its weights are
    those that do well when rounded. Its float accuracy says little; convert it and look at that.

    Weights are rounded symmetrically, per output channel or, without ``per_channel``, per tensor: take what conversion
    will do. Activations are rounded where an op of the converted model ends, over ranges that are moving averages with
    this ``momentum``. Weights of layers other than convolutions and dense ones stay as they are.

    ``x``, ``y`` and further ``options`` such as ``batch_size`` are what `keras.Model.fit` takes. ``optimizer``: Adam
    at 1e-4 unless given, since the model has been trained. ``loss``: that of the model unless given.

    Raises:
        UsageError: The model is not functional, or a figure is out of range.
    """
    folded = fold(model)
    network = network_of(folded)
    copies = Copies()
    training = Training(
        x=x, y=y, epochs=epochs, optimizer=optimizer, loss=loss, seed=seed, learning_rate=1e-4, options=options
    )
    fit(_rounding(network, copies, per_channel=per_channel, momentum=momentum), model, training)
    for layer in folded.layers:
        if layer.weights:
            layer.set_weights(copies[layer].get_weights())
    return folded


def _rounding(network: Network, copies: Copies, *, per_channel: bool, momentum: float) -> Model:
    """The network with roundings, made of copies of its layers."""
    ends = _ends(network)
    wrapped: dict[int, QuantizedKernel] = {}

    def rounded(tensor: Tensor, slot: int) -> Tensor:
        return QuantizedValues(f"values_{slot}", momentum)(tensor) if slot in ends else tensor

    def call(step: Step, args: Structure, kwargs: Structure) -> Structure:
        layer = copies.of(step)
        if step.kind == "BatchNormalization":
            layer.trainable = False
        if step.kind in OUTPUT_AXES:
            axes = OUTPUT_AXES[step.kind] if per_channel else ()
            layer = wrapped.setdefault(id(step.layer), QuantizedKernel(layer, axes))
        outputs = layer(*args, **kwargs)
        return rounded(outputs, step.outputs[0]) if len(step.outputs) == 1 else outputs

    model = rebuild(network, call, enter=rounded)
    copies.fill()
    return model


def _ends(network: Network) -> set[int]:
    """The tensors that are int8 in the converted model, and whose scale is their own."""
    readers = network.consumers()
    ends = {slot for slot, layer in network.input_layers.items() if "float" in layer.dtype}
    for step in network.steps:
        (slot, *others) = step.outputs
        if others or step.kind in _SAME_SCALE or _function(step) in _FIXED_SCALE:
            continue
        only_reader = readers[slot][0] if len(readers[slot]) == 1 else None
        if only_reader is None or not _is_fused(only_reader):
            ends.add(slot)
    return ends


def _is_fused(step: Step) -> bool:
    return step.kind in ("Activation", "ReLU") and _function(step) in _FUSED


def _function(step: Step) -> str:
    """The name of the activation with which a step ends; empty where it has none."""
    if step.kind in ("Softmax", "ReLU"):
        return step.kind.lower()
    return getattr(getattr(step.layer, "activation", None), "__name__", "")
