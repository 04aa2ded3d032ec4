"""What every layer of a model has to give: its tensors, from the reference interpreter."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.model.graph import DType, Graph
from tinydeploy.samples import Samples
from tinydeploy.verify.oracle import reference_outputs

Array = npt.NDArray[np.generic]

_DTYPES = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32)
"""Those that both interpreters hand out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerReference:
    """``tensors`` has graph inputs and outputs of ops, each of shape (samples, *tensor shape).

    ``tolerance`` is by how many LSB a correct device may differ from them.
    """

    tensors: Mapping[int, Array]
    tolerance: int


def layer_reference(graph: Graph, samples: Samples) -> LayerReference:
    """Runs the samples, in their order, through the model with the outputs of all its ops made outputs of the graph.

    The interpreters keep no tensor that is none: TFLM's own way to keep them all gives wrong values.

    Raises:
        ModelError: The interpreter refuses it.
    """
    from tinydeploy.convert.flatbuffer import damage_told, pack, unpack  # which loads the reader's package

    written = (index for op in graph.ops for index in op.outputs)
    shown = [index for index in written if graph.tensors[index].dtype in _DTYPES]
    with damage_told(graph.name):
        model = unpack(graph.source, graph.name)
        model.subgraphs[0].outputs = np.array(shown, np.int32)
    model.signatureDefs = None  # which name the outputs that there were
    model.metadata = None  # an arena that was planned in advance is not that of this model
    reference = reference_outputs(pack(model), samples)
    inputs = dict(zip(graph.inputs, samples.inputs, strict=True))
    outputs = dict(zip(shown, reference.outputs, strict=True))
    return LayerReference(tensors={**inputs, **outputs}, tolerance=reference.tolerance)
