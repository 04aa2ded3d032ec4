"""What the arena of TensorFlow Lite Micro depends on besides the model: sizes of structs, and what kernels ask for.

All of it is a fact of one version of the library, one set of kernels and one ABI, and is kept as tables of these types.
"""

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tinydeploy.memory.tflm_file import TflmFile
from tinydeploy.model.graph import Op, Tensor


class Area(enum.Enum):
    """Where in the arena a kernel gets memory from."""

    PERSISTENT = "persistent"
    """At the tail, for good: AllocatePersistentBuffer, at a multiple of 16."""
    TEMPORARY = "temporary"
    """Above the head, until the op's Prepare ends: AllocateTemp, at a multiple of 4."""
    SCRATCH = "scratch"
    """Planned like a tensor that lives while the op runs: RequestScratchBufferInArena."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of an allocator."""

    area: Area
    nbytes: int


@dataclass(frozen=True, kw_only=True)
class CoreSizes:
    """Sizes of the interpreter's own structs in bytes, by their names upstream, below tensorflow/lite/.

    All are aligned to 4. ``scratch_requests_per_op`` is kMaxScratchBuffersPerOp of micro_allocator.cc.
    """

    single_arena_buffer_allocator: int  # micro/arena_allocator/single_arena_buffer_allocator.h
    greedy_memory_planner: int  # micro/memory_planner/greedy_memory_planner.h
    greedy_per_buffer: int  # the same, per_buffer_size()
    micro_allocator: int  # micro/micro_allocator.h
    micro_builtin_data_allocator: int  # micro/micro_allocator.cc
    subgraph_allocations: int  # micro/micro_allocator.h
    node_and_registration: int  # micro/micro_allocator.h
    scratch_buffer_request: int  # micro/micro_allocator.h, internal::ScratchBufferRequest
    scratch_buffer_handle: int  # micro/micro_allocator.h
    scratch_requests_per_op: int
    allocation_info: int  # micro/micro_allocation_info.h
    tensor: int  # core/c/common.h, TfLiteTensor with TF_LITE_STATIC_MEMORY
    eval_tensor: int  # core/c/common.h, TfLiteEvalTensor
    affine_quantization: int  # core/c/common.h, TfLiteAffineQuantization
    pointer: int = 4

    def int_array(self, count: int) -> int:
        """A TfLiteIntArray of ``count`` elements (TfLiteIntArrayGetSizeInBytes)."""
        return 4 + 4 * count


@dataclass(frozen=True, kw_only=True)
class Call:
    """One op whose kernel is prepared, as the rules of kernels see it."""

    file: TflmFile
    op: Op
    core: CoreSizes

    def input(self, position: int) -> Tensor:
        """The tensor at an input position that every op has which the kernel accepts.

        Raises:
            IndexError: This op has none there.
        """
        return self.file.graph.tensors[self._input_index(position)]

    def has_input(self, position: int) -> bool:
        """Whether the optional input is there."""
        return position < len(self.op.inputs) and self.op.inputs[position] >= 0

    def output(self, position: int = 0) -> Tensor:
        """The tensor at an output position."""
        return self.file.graph.tensors[self.op.outputs[position]]

    def scales(self, position: int) -> int:
        """The number of scales of the tensor at an input position."""
        return self.file.scales[self._input_index(position)]

    def _input_index(self, position: int) -> int:
        if not self.has_input(position):
            raise IndexError(position)
        return self.op.inputs[position]

    def option(self, field: str) -> int:
        """A field of the op's options; see `TflmFile.option`."""
        return self.file.option(self.op, field)

    def tensors(self, positions: str) -> Iterator[Request]:
        """TfLiteTensors built for a while, in this order, such as "i0 i1 o0"; "i*" is all inputs.

        Absent ones take nothing (micro_context.cc, AllocateTempInputTensor), and quantised ones more than others
        (micro_allocator.cc, InitializeTfLiteTensorFromFlatbuffer).
        """
        for word in positions.split():
            indices = self.op.inputs if word[0] == "i" else self.op.outputs
            wanted = indices if word[1:] == "*" else indices[int(word[1:]) : int(word[1:]) + 1]
            for index in wanted:
                if index >= 0:
                    for nbytes in self.tensor_parts(index):
                        yield Request(area=Area.TEMPORARY, nbytes=nbytes)

    def tensor_parts(self, index: int) -> tuple[int, ...]:
        """Bytes of a TfLiteTensor and of what hangs on it."""
        return tensor_parts(self.core, self.file.scales[index])


def tensor_parts(core: CoreSizes, scales: int) -> tuple[int, ...]:
    """Bytes of a TfLiteTensor, and of its quantisation and zero points where it has ``scales``."""
    if scales == 0:
        return (core.tensor,)
    return (core.tensor, core.affine_quantization, core.int_array(scales))


def persistent(nbytes: int) -> Request:
    """Memory that a kernel keeps."""
    return Request(area=Area.PERSISTENT, nbytes=nbytes)


def scratch(nbytes: int) -> Request:
    """Memory that a kernel works in."""
    return Request(area=Area.SCRATCH, nbytes=nbytes)


Prepare = Callable[[Call], Iterator[Request]]
"""What a kernel's Prepare asks for, in its order."""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What the kernel of one kind of op takes from the arena.

    ``params`` is size and alignment of the op's TfLite*Params (core/c/builtin_op_data.h) where the op's parser
    (core/api/flatbuffer_conversions.cc) makes one. ``data`` is the size of what its Init allocates, of type
    ``data_type`` in ``source`` below micro/kernels; None where there is no Init. ``prepare`` is the rule of its
    Prepare, or the positions of the tensors that it looks at where that is all; see `Call.tensors`. ``unsure`` says why
    a call cannot be computed; empty where it can.
    """

    source: str
    params: tuple[int, int] | None = None
    data_type: str = ""
    data: int | None = None
    prepare: Prepare | str = ""
    unsure: Callable[[Call], str] | None = None

    def requests(self, call: Call) -> Iterator[Request]:
        """What its Prepare asks for, in its order.

        Raises:
            IndexError: The op lacks tensors or dimensions without which the kernel refuses it.
        """
        return call.tensors(self.prepare) if isinstance(self.prepare, str) else self.prepare(call)

    def doubt(self, call: Call) -> str:
        """Why what it asks for is not known; empty where it is."""
        try:
            for _ in self.requests(call):
                pass
            return self.unsure(call) if self.unsure else ""
        except IndexError:
            return "its tensors are not those that its kernel expects"


@dataclass(frozen=True, kw_only=True, eq=False)
class TflmSizes:
    """Everything about one library that the arena depends on.

    ``version`` is upstream's commit, ``kernels`` "reference" or "cmsis_nn", ``table`` has a `Kernel` for each kind of
    op by its name in schema.fbs.
    """

    version: str
    kernels: str
    core: CoreSizes
    table: Mapping[str, Kernel]
