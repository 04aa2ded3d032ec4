"""Exactly the ops that a model needs, as calls of TensorFlow Lite Micro's MicroMutableOpResolver."""

from collections.abc import Mapping
from dataclasses import dataclass

from tinydeploy.engines.tflm.kernel import Kernel
from tinydeploy.engines.tflm.op_table import KERNELS
from tinydeploy.model.graph import DType, Graph, Op

INT8_REGISTRATIONS: Mapping[str, str] = {
    kernel.int8.function: f"tensorflow/lite/micro/kernels/{kernel.int8.header}"
    for kernel in KERNELS.values()
    if kernel.int8 is not None
}
"""Registrations for int8 alone, and the headers that declare them in the libraries that have them.

With CMSIS-NN's kernels they leave the code for other types out of the firmware; with reference kernels they are the
usual ones by another name.
"""


@dataclass(frozen=True, kw_only=True)
class ResolvedOp:
    """An op kind of the model: ``call`` is the method that registers it, with its arguments: ``AddSoftmax()``.

    ``header`` declares what the arguments need; empty where there are none.
    """

    kind: str
    call: str
    header: str = ""


def resolve_ops(graph: Graph, registrations: frozenset[str] = frozenset(INT8_REGISTRATIONS)) -> tuple[ResolvedOp, ...]:
    """The op kinds of a graph that `check_ops` has passed, in the order of their first use, each once.

    ``registrations`` are those of `INT8_REGISTRATIONS` that the library's headers declare. They are taken for the kinds
    whose ops are all int8.
    """
    ops: dict[str, list[Op]] = {}
    for op in graph.ops:
        ops.setdefault(op.kind, []).append(op)
    return tuple(_resolved(graph, KERNELS[kind], same, registrations) for kind, same in ops.items())


def _resolved(graph: Graph, kernel: Kernel, ops: list[Op], registrations: frozenset[str]) -> ResolvedOp:
    # These kernels compute in the type of their output.
    is_int8 = all(graph.output_of(op).dtype is DType.INT8 for op in ops)
    if kernel.int8 is None or kernel.int8.function not in registrations or not is_int8:
        return ResolvedOp(kind=kernel.kind, call=f"{kernel.add}()")
    function = kernel.int8.function
    return ResolvedOp(kind=kernel.kind, call=f"{kernel.add}(tflite::{function}())", header=INT8_REGISTRATIONS[function])
