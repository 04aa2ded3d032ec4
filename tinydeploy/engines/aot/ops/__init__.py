"""The op kinds that the engine compiles, a module for each family."""

from collections.abc import Mapping

from tinydeploy.engines.aot.operator import Operator
from tinydeploy.engines.aot.ops import (
    aliases,
    convolution,
    elementwise,
    lookup,
    movement,
    pooling,
    quantization,
    reduction,
    resizing,
    softmax,
)

_FAMILIES = (
    convolution,
    elementwise,
    pooling,
    reduction,
    softmax,
    lookup,
    quantization,
    aliases,
    movement,
    resizing,
)

OPERATORS: Mapping[str, Operator] = {operator.kind: operator for family in _FAMILIES for operator in family.OPERATORS}
