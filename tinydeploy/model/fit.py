"""The questions that the shape rules of ops ask, with an answer for the user where the op does not fit."""

from collections.abc import Sequence

from tinydeploy.model.graph import DType, Op, Tensor
from tinydeploy.model.text import shape_text, tensor_label


class MisfitError(Exception):
    """Something about an op that does not fit."""


class Case:
    """One op being checked."""

    def __init__(self, tensors: tuple[Tensor, ...], op: Op) -> None:
        self.op = op
        self.inputs = [tensors[index] if index >= 0 else None for index in op.inputs]
        self.outputs = [tensors[index] for index in op.outputs]

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    def arity(self, least: int, most: int) -> None:
        """Checks the number of inputs, and that there is one output."""
        if not least <= len(self.inputs) <= most:
            raise MisfitError(f"{len(self.inputs)} inputs, expected {least if least == most else f'{least} to {most}'}")
        if len(self.outputs) != 1:
            raise MisfitError(f"{len(self.outputs)} outputs, expected 1")

    def data(self, position: int = 0) -> Tensor:
        """An input that must be there."""
        tensor = self.inputs[position]
        if tensor is None:
            raise MisfitError(f"input {position} is missing")
        return tensor

    def optional(self, position: int) -> Tensor | None:
        """An input that may be left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def parameter(self, position: int, *, most: int = 16) -> list[int]:
        """The values of a small constant int32 input, flat."""
        tensor = self.data(position)
        if tensor.data is None:
            raise MisfitError(f"{tensor_label(tensor)} is computed, but must be a constant")
        if tensor.dtype is not DType.INT32:
            raise MisfitError(f"{tensor_label(tensor)} is {tensor.dtype.value}, expected INT32")
        if tensor.elements > most:
            raise MisfitError(f"{tensor_label(tensor)} has {tensor.elements} values for at most 6 dimensions")
        return [int(value) for value in tensor.data.ravel()]

    def axes(self, position: int, rank: int) -> list[int]:
        """The values of a parameter that names dimensions, as 0...rank-1."""
        return [axis_in(axis, rank) for axis in self.parameter(position)]

    def yields(self, expected: Sequence[int], tensor: Tensor | None = None) -> None:
        """Checks the output's shape."""
        tensor = tensor or self.output
        if tensor.shape != tuple(expected):
            shown = shape_text(tuple(expected))
            raise MisfitError(f"output {tensor_label(tensor)} is {shape_text(tensor.shape)}, expected {shown}")

    def same_type(self, *tensors: Tensor) -> None:
        """Checks that all have one element type."""
        kinds = {tensor.dtype.value for tensor in tensors}
        if len(kinds) > 1:
            raise MisfitError(f"mixes {' and '.join(sorted(kinds))}")

    def per_tensor(self, *tensors: Tensor) -> None:
        """Checks that 8- and 16-bit integers are quantised, and with one scale."""
        for tensor in tensors:
            if tensor.dtype not in {DType.INT8, DType.UINT8, DType.INT16}:
                continue
            if tensor.quantization is None:
                raise MisfitError(f"{tensor_label(tensor)} is {tensor.dtype.value} without a scale and zero point")
            if tensor.quantization.per_channel:
                raise MisfitError(f"{tensor_label(tensor)} is quantised per channel, expected per tensor")

    def weights(self, channel_axis: int, *, may_be_asymmetric: bool) -> Tensor:
        """Input 1, whose quantisation must be per tensor or along ``channel_axis``."""
        weights = self.data(1)
        if weights.dtype in {DType.INT8, DType.UINT8}:
            quantization = weights.quantization
            if quantization is None:
                raise MisfitError(f"weights {tensor_label(weights)} have no scale")
            if quantization.per_channel and quantization.axis != channel_axis:
                raise MisfitError(f"weights are quantised along axis {quantization.axis}, expected {channel_axis}")
            symmetric = weights.dtype is not DType.INT8 or not any(quantization.zero_points)
            # The kernels leave this zero point out; outputs would be wrong without a word.
            if not (symmetric or (may_be_asymmetric and not quantization.per_channel)):
                raise MisfitError(f"int8 weights {tensor_label(weights)} have a zero point other than 0")
        return weights

    def bias(self, channels: int, *, position: int = 2) -> None:
        """Checks the bias, where there is one."""
        bias = self.optional(position)
        if bias is not None and bias.elements != channels:
            raise MisfitError(f"bias {tensor_label(bias)} has {bias.elements} values for {channels} channels")


def axis_in(axis: int, rank: int) -> int:
    """``axis`` counted from the front."""
    if not -rank <= axis < rank:
        raise MisfitError(f"axis {axis} of a tensor with {rank} dimensions")
    return axis % rank


def need_rank(tensor: Tensor, rank: int, what: str) -> tuple[int, ...]:
    """The tensor's shape, which must have ``rank`` dimensions."""
    if len(tensor.shape) != rank:
        raise MisfitError(f"{what} {tensor_label(tensor)} is {shape_text(tensor.shape)}, expected {rank} dimensions")
    return tensor.shape
