"""What an engine cannot do with a model, and what none can: the ends that the link does not carry."""

from collections.abc import Iterator
from dataclasses import dataclass

from tinydeploy.model.graph import DType, Graph, Tensor
from tinydeploy.model.text import shape_text, tensor_label

_END_TYPES = {DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32}
_MAX_ENDS = 255
_MAX_END_DIMENSION = 65_535
"""What ``struct td_model`` and ``struct td_tensor`` can say of a model's inputs and outputs."""


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """A place in the model that an engine cannot compile or run, why, and what to do there where something is known."""

    place: str
    reason: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" + (f"; {self.advice}" if self.advice else "")


def unsupported_ends(graph: Graph) -> Iterator[Unsupported]:
    """The inputs and outputs of the graph that cannot be those of a firmware."""
    for side, indices in (("input", graph.inputs), ("output", graph.outputs)):
        for index in indices:
            reason = _reason_against_end(graph.tensors[index])
            if reason:
                yield Unsupported(place=f"{side} {tensor_label(graph.tensors[index])}", reason=reason)
    if max(len(graph.inputs), len(graph.outputs)) > _MAX_ENDS:
        yield Unsupported(place="model", reason=f"more than {_MAX_ENDS} inputs or outputs")


def _reason_against_end(tensor: Tensor) -> str:
    """Why a tensor cannot be an input or output of the firmware; empty where it can."""
    if tensor.dtype not in _END_TYPES:
        return f"the link carries no {tensor.dtype.value.lower()}"
    if max(tensor.shape, default=1) > _MAX_END_DIMENSION:
        return f"no dimension may be larger than {_MAX_END_DIMENSION:,}: {shape_text(tensor.shape)}"
    return ""
