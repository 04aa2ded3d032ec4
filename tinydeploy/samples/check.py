"""What looks wrong about samples before anything is done with them."""

from collections.abc import Iterator

import numpy as np

from tinydeploy.model.graph import DType, Graph, Tensor
from tinydeploy.samples.first_step import first_gain
from tinydeploy.samples.ranges import InputRange, blocks, input_ranges
from tinydeploy.samples.samples import Array, Samples

_FEW = 10
_LARGE, _SMALL = 100.0, 0.01
_APART = 100.0
# Whole numbers over less than this may well be quantities, such as counts or the digits' 0 to 16.
_PIXEL_SPAN = 100.0
# Shares of all values, and of the range that a quantised input holds.
_SATURATED, _COVERED = 0.01, 0.02
# A first step that makes less than this of 1 is for values larger than 1.
_WEAK = 0.25


def suspicions(samples: Samples, graph: Graph) -> tuple[str, ...]:
    """Sentences about what is likely a mistake, each with figures and what to do; none where nothing is.

    Told: fewer than 10 samples; all of them the same; an input that is constant. Of float inputs: whole numbers as of
    pixels or of quantised data, values beyond 100 or all below 0.01, and inputs a hundred times apart; but where the
    model's first step tells that it expects large values, see `first_gain`, only that they are not. Of quantised
    inputs: more than 1 % of the values clipped, or values over less than 2 % of the range that the model was quantised
    for.
    """
    ranges = input_ranges(samples, graph)
    found = [*_of_all(samples)]
    floats = []
    for position, (index, spread) in enumerate(zip(graph.inputs, ranges, strict=True)):
        tensor, values = graph.tensors[index], samples.inputs[position]
        if spread.low == spread.high:
            found += _of_constant(values, spread)
        elif tensor.dtype is DType.FLOAT32:
            gain = first_gain(graph, index)
            if gain is None or gain >= _WEAK:
                found += _of_floats(values, spread)
                floats.append(spread)
            else:
                found += _of_large(spread, gain)
        elif tensor.quantization is not None:
            clipped = samples.saturated[position] if samples.saturated else 0
            found += _of_quantised(tensor, spread, clipped / values.size)
    return (*found, *_of_several(floats))


def _of_all(samples: Samples) -> Iterator[str]:
    if samples.count > 1 and all(_all_equal(values) for values in samples.inputs):
        yield f"all {samples.count:,} samples are the same: give different ones, as the model will see them"
    elif samples.count < _FEW:
        count = "there is only 1 sample" if samples.count == 1 else f"there are only {samples.count} samples"
        yield f"{count}: the ranges that they show are likely too narrow; give 100 or more, of all kinds"


def _all_equal(values: Array) -> bool:
    return all(bool((block == values[:1]).all()) for block in blocks(values))


def _of_constant(values: Array, spread: InputRange) -> Iterator[str]:
    if values.size > 1:
        yield f"all {values.size:,} values of input {spread.name} are {spread.low:.6g}: check how they were made"


def _of_large(spread: InputRange, gain: float) -> Iterator[str]:
    """What looks wrong about an input that the model was made to have large values at: only that they are not."""
    if spread.magnitude <= 1:
        told = f"input {spread.name} ranges from {spread.low:.4g} to {spread.high:.4g}, of which the model's first step"
        yield f"{told} makes {gain * spread.magnitude:.2g} at most: it expects larger values (--image-range 0 255)"


def _of_floats(values: Array, spread: InputRange) -> Iterator[str]:
    """What looks wrong about a float input: the likeliest cause only."""
    told = f"input {spread.name} ranges from {spread.low:.4g} to {spread.high:.4g}"
    highest = 255 if spread.low >= 0 else 127
    is_bytes = spread.low >= -128 and spread.high <= highest
    if spread.high - spread.low >= _PIXEL_SPAN and is_bytes and _are_whole(values):
        looks = "data that is quantised already" if spread.low < 0 else "pixels that are not scaled"
        yield f"{told}, whole numbers only: it looks like {looks}; give it as the model was trained with"
    elif spread.magnitude > _LARGE:
        yield f"{told}: more than {_LARGE:g} is unusual; scale it as the model was trained with"
    elif spread.magnitude < _SMALL:
        yield f"{told}: less than {_SMALL:g} is unusual; scale it as the model was trained with"


def _are_whole(values: Array) -> bool:
    return all(bool((block == np.rint(block)).all()) for block in blocks(values))


def _of_quantised(tensor: Tensor, spread: InputRange, clipped: float) -> Iterator[str]:
    assert tensor.quantization is not None
    scale, zero_point = tensor.quantization.scale, tensor.quantization.zero_point
    low, high = (scale * (limit - zero_point) for limit in tensor.dtype.integer_range)
    held = f"{low:.4g} to {high:.4g}, for which the model was quantised"
    if clipped > _SATURATED:
        yield f"input {spread.name}: {clipped:.0%} of the values were clipped to {held}; scale them as in training"
    elif spread.high - spread.low < _COVERED * (high - low):
        told = f"input {spread.name} ranges from {spread.low:.4g} to {spread.high:.4g}"
        yield f"{told}, {(spread.high - spread.low) / (high - low):.2%} of {held}; scale it as in training"


def _of_several(ranges: list[InputRange]) -> Iterator[str]:
    if len(ranges) < 2:
        return
    small, *_, large = sorted(ranges, key=lambda spread: spread.magnitude)
    if large.magnitude > _APART * small.magnitude:
        told = f"input {large.name} reaches {large.magnitude:.4g}, {small.name} only {small.magnitude:.4g}"
        yield f"{told}: check that each is scaled as in training"
