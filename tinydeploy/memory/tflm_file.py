"""What TensorFlow Lite Micro reads in a .tflite file beyond the `Graph`: facts that only its arena depends on."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.raw import RawModel, Table, decode, guarded

ONLINE = -1
"""The offset of a tensor that the offline plan leaves to the planner on the device (kOnlinePlannedBuffer)."""

_OFFLINE_PLAN = b"OfflineMemoryAllocation"  # micro_allocation_info.cc, kOfflineMemAllocMetadata
_PLAN_HEADER_WORDS = 3  # version, graph, number of tensors (docs/memory_management.md)


@dataclass(frozen=True, kw_only=True, eq=False)
class TflmFile:
    """The graph, and what else of its file counts.

    ``scales`` is the number of scales of each tensor; 0 where it is not quantised. ``offline_offsets`` is the plan
    that the file brings along, an offset in the arena or `ONLINE` for each tensor; None without one.
    """

    graph: Graph
    graph_count: int
    scales: tuple[int, ...]
    offline_offsets: tuple[int, ...] | None
    raw: RawModel

    def option(self, op: Op, field: str) -> int:
        """A field of the op's options by its name in schema_generated; 0, the schema's default, without options.

        Raises:
            ModelError: The options are damaged.
        """
        with guarded(f"the options of {op}"):
            table = self.raw.ops[op.index].options
            return 0 if table is None else int(getattr(table, field)())


@lru_cache(maxsize=4)
def read_tflm_file(graph: Graph) -> TflmFile:
    """Reads the graph's file once more; for one graph once, for however many boards it is planned.

    Raises:
        ModelError: The offline plan is not one for this graph; TensorFlow Lite Micro would refuse it.
    """
    raw = decode(graph.source)
    try:
        with guarded("the list of graphs"):
            model = _model(graph.source)
            graph_count = int(model.SubgraphsLength())
        with guarded("the offline memory plan"):
            offsets = _offline_offsets(model, len(graph.tensors))
    except ModelError as error:
        error.where = {"model": graph.name, **error.where}
        raise
    return TflmFile(
        graph=graph,
        graph_count=graph_count,
        scales=tuple(len(tensor.scales) if tensor.zero_points else 0 for tensor in raw.tensors),
        offline_offsets=offsets,
        raw=raw,
    )


def _model(data: bytes) -> Table:
    from ai_edge_litert import schema_py_generated as schema

    return schema.Model.GetRootAs(data, 0)


def _offline_offsets(model: Table, tensor_count: int) -> tuple[int, ...] | None:
    """The last plan counts, as on the device."""
    offsets = None
    for index in range(model.MetadataLength()):
        metadata = model.Metadata(index)
        if metadata.Name() == _OFFLINE_PLAN:
            plan = model.Buffers(metadata.Buffer())
            # The accessor gives a number where there are no data.
            words = np.frombuffer(plan.DataAsNumpy().tobytes() if plan.DataLength() else b"", "<i4")
            if words[2] != tensor_count or len(words) < _PLAN_HEADER_WORDS + tensor_count:
                raise ValueError
            offsets = tuple(words[_PLAN_HEADER_WORDS : _PLAN_HEADER_WORDS + tensor_count].tolist())
    return offsets
