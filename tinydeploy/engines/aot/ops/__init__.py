"""The op kinds that the engine compiles, a module for each family."""

from collections.abc import Mapping

from tinydeploy.engines.aot.operator import Operator
from tinydeploy.engines.aot.ops import convolution

OPERATORS: Mapping[str, Operator] = {
    operator.kind: operator for family in (convolution,) for operator in family.OPERATORS
}
