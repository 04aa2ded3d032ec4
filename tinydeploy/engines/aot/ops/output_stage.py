"""The end of every accumulating op: how its int32 sums become int8 outputs."""

from collections.abc import Sequence

import numpy as np

from tinydeploy.engines.aot.fixed_point import Multiplier, activation_range
from tinydeploy.engines.aot.program import Array, Parameter
from tinydeploy.model.graph import Activation, Tensor


def output_stage(multipliers: Sequence[Multiplier], activation: Activation, output: Tensor) -> dict[str, Parameter]:
    """The fields of ``struct td_output_stage``; ``multipliers`` holds one for all channels, or one for each."""
    assert output.quantization is not None
    low, high = activation_range(activation, output)
    return {
        "mantissa": Array(values=np.array([m.mantissa for m in multipliers], np.int32)),
        "shift": Array(values=np.array([m.shift for m in multipliers], np.int8)),
        "per_channel": int(len(multipliers) > 1),
        "zero_point": output.quantization.zero_point,
        "min": low,
        "max": high,
    }
