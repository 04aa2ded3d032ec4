"""The arena of TensorFlow Lite Micro, from the .tflite alone: what the device will report, and what it needs to start.

MicroInterpreter::AllocateTensors is gone through allocation by allocation, with the sizes of one version of the
library (`tinydeploy.memory.tflm_sizes`), as if the arena were of unlimited size. Kept things pile up at its tail; the
head is used three times over: for requests of scratch buffers while ops are prepared, for the planner's own arrays,
and then for the activations. Whatever the three reach at a time must not meet the tail: that is the smallest arena.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinydeploy.memory.memory_map import NOTHING_ALTERED, Alteration
from tinydeploy.memory.planner import ALIGNMENT, Buffer
from tinydeploy.memory.tflm_file import ONLINE, TflmFile, read_tflm_file
from tinydeploy.memory.tflm_greedy import greedy_offsets
from tinydeploy.memory.tflm_sizes import Area, Call, CoreSizes, Kernel, Request, TflmSizes, tensor_parts
from tinydeploy.model.graph import Graph, Op


@dataclass(frozen=True, kw_only=True)
class PlannedBuffer:
    """A tensor, or the working memory of an op, in the head of the arena.

    It is alive from step ``first`` to ``last``: step 0 is before the first op, step n is op n - 1. ``tensor`` is None
    for working memory, ``op`` is None for tensors.
    """

    tensor: int | None
    op: int | None
    nbytes: int
    first: int
    last: int
    offset: int


@dataclass(frozen=True, kw_only=True)
class PersistentPart:
    """A share of the arena's tail, with the bytes lost to alignment."""

    what: str
    nbytes: int


@dataclass(frozen=True, kw_only=True)
class TflmArena:
    """The arena, in bytes.

    ``used_bytes`` is what MicroInterpreter::arena_used_bytes() returns: ``activation_bytes`` at the head, scratch
    included, and ``persistent_bytes`` at the tail. ``needed_bytes`` is the smallest size, a multiple of 16, of an
    array aligned to 16 in which AllocateTensors() succeeds and does so undamaged: the library does not check that what
    a kernel keeps lies clear of the temporaries that its Prepare still reads, so that a few models are "allocated" in
    a little less.

    ``live_bytes`` is what is alive in the head while each op runs, ``peak_op`` the op with the most, ``peak_tensors``
    the tensors alive then, ``scratch_bytes`` the working memory then. ``live_bound_bytes`` is the least that any
    planner could make of ``activation_bytes``.
    """

    used_bytes: int
    needed_bytes: int
    activation_bytes: int
    persistent_bytes: int
    scratch_bytes: int
    live_bytes: tuple[int, ...]
    live_bound_bytes: int
    peak_op: int
    peak_tensors: tuple[int, ...]
    buffers: tuple[PlannedBuffer, ...]
    persistent: tuple[PersistentPart, ...]


def plan_tflm_arena(graph: Graph, sizes: TflmSizes, alteration: Alteration = NOTHING_ALTERED) -> TflmArena:
    """The arena of ``graph``, exact where `uncovered` finds nothing; else an estimate. Or what it would be.

    Raises:
        ModelError: The file's own memory plan is damaged.
    """
    file = read_tflm_file(graph)
    run = _Run()
    _start(run, file, sizes)
    requested = _prepare(run, file, sizes)
    placed = _plan(run, file, sizes.core, requested, alteration)
    _finish(run, file, sizes.core)
    return _arena(run, file, placed)


def uncovered(graph: Graph, sizes: TflmSizes) -> tuple[str, ...]:
    """Why the figures of `plan_tflm_arena` are not exact: one sentence for each reason, none where they are."""
    file = read_tflm_file(graph)
    reasons = [] if file.graph_count == 1 else [f"the file has {file.graph_count} graphs; the arena holds them all"]
    for op in graph.ops:
        kernel = sizes.table.get(op.kind)
        if kernel is None:
            reasons.append(f"{op}: what its kernel allocates is not known")
        elif doubt := kernel.doubt(Call(file=file, op=op, core=sizes.core)):
            reasons.append(f"{op}: {doubt}")
    return tuple(reasons)


class _Run:
    """SingleArenaBufferAllocator in an arena without end: how far tail, head and temporaries reach."""

    def __init__(self) -> None:
        self.tail = 0
        self.head = 0
        self.temporary = 0
        self.needed = 0
        self.parts: list[PersistentPart] = []

    def keep(self, what: str, nbytes: int, alignment: int = 4) -> None:
        before, self.tail = self.tail, _up(self.tail + nbytes, alignment)
        self.parts.append(PersistentPart(what=what, nbytes=self.tail - before))
        self._meet()

    def take(self, nbytes: int) -> None:
        """AllocateTemp; all of it is given back by `set_head`."""
        self.temporary = _up(self.temporary, 4) + nbytes
        self._meet()

    def set_head(self, nbytes: int) -> None:
        self.head = self.temporary = nbytes
        self._meet()

    def _meet(self) -> None:
        self.needed = max(self.needed, self.temporary + self.tail)


def _start(run: _Run, file: TflmFile, sizes: TflmSizes) -> None:
    """The interpreter's constructor, StartModelAllocation, the ops' options and their Init."""
    graph, core = file.graph, sizes.core
    run.keep("SingleArenaBufferAllocator", core.single_arena_buffer_allocator)
    run.keep("GreedyMemoryPlanner", core.greedy_memory_planner)
    run.keep("MicroAllocator", core.micro_allocator)
    run.keep("MicroBuiltinDataAllocator", core.micro_builtin_data_allocator)
    run.set_head(core.scratch_buffer_request * core.scratch_requests_per_op)
    run.keep("SubgraphAllocations", core.subgraph_allocations * file.graph_count)
    run.keep("TfLiteEvalTensor of all tensors", core.eval_tensor * len(graph.tensors))
    run.keep("NodeAndRegistration of all ops", core.node_and_registration * len(graph.ops))
    for op in graph.ops:
        kernel = sizes.table.get(op.kind)
        if kernel and kernel.params:
            run.keep(f"options of {op}", *kernel.params)
    for op in graph.ops:
        kernel = sizes.table.get(op.kind)
        if kernel and kernel.data is not None:
            run.keep(f"{kernel.data_type} of {op}", kernel.data, ALIGNMENT)


@dataclass(frozen=True, kw_only=True)
class _Scratch:
    op: Op
    nbytes: int


def _prepare(run: _Run, file: TflmFile, sizes: TflmSizes) -> list[_Scratch]:
    """The ops' Prepare; the scratch buffers that they ask for."""
    requested: list[_Scratch] = []
    for op in file.graph.ops:
        for request in _requests(Call(file=file, op=op, core=sizes.core), sizes.table.get(op.kind)):
            if request.area is Area.PERSISTENT:
                run.keep(f"memory of {op}", request.nbytes, ALIGNMENT)
            elif request.area is Area.TEMPORARY:
                run.take(request.nbytes)
            else:
                requested.append(_Scratch(op=op, nbytes=request.nbytes))
        run.set_head(sizes.core.scratch_buffer_request * (len(requested) + sizes.core.scratch_requests_per_op))
    return requested


def _requests(call: Call, kernel: Kernel | None) -> list[Request]:
    """What the op's kernel asks for; where that is not known, what any kernel does: look at the tensors."""
    try:
        return list(kernel.requests(call) if kernel else call.tensors("i* o*"))
    except IndexError:
        return list(call.tensors("i* o*"))


def _plan(
    run: _Run, file: TflmFile, core: CoreSizes, requested: Sequence[_Scratch], alteration: Alteration
) -> tuple[PlannedBuffer, ...]:
    """FinishModelAllocation: scratch handles, variables and the memory plan."""
    graph = file.graph
    offsets = file.offline_offsets or (ONLINE,) * len(graph.tensors)
    if requested:
        run.keep("ScratchBufferHandle of all scratch buffers", core.scratch_buffer_handle * len(requested))
    run.take(core.pointer * file.graph_count)
    run.take(core.allocation_info * (len(graph.tensors) + len(requested)))
    for tensor in graph.tensors:
        if tensor.is_variable and offsets[tensor.index] == ONLINE:
            run.keep(f"variable tensor {tensor.index}", tensor.nbytes, ALIGNMENT)
    buffers = [_altered(buffer, alteration) for buffer in _unplaced(file, offsets, requested)]
    # The planner takes all that is left between two multiples of 16 and divides it among its arrays.
    run.needed = max(
        run.needed,
        _up(run.temporary, ALIGNMENT) + core.greedy_per_buffer * len(buffers) + _up(run.tail, ALIGNMENT),
    )
    placed = _placed(buffers)
    run.set_head(max((buffer.offset + _up(buffer.nbytes, ALIGNMENT) for buffer in placed), default=0))
    return placed


def _unplaced(file: TflmFile, offsets: Sequence[int], requested: Sequence[_Scratch]) -> list[PlannedBuffer]:
    """What has to be planned, in the planner's order, with the offsets that are given."""
    first, last = _lifetimes(file.graph)
    buffers = [
        PlannedBuffer(
            tensor=tensor.index,
            op=None,
            nbytes=tensor.nbytes,
            first=first[tensor.index],
            last=last[tensor.index],
            offset=offsets[tensor.index],
        )
        for tensor in file.graph.tensors
        if tensor.nbytes and not tensor.is_constant and not (tensor.is_variable and offsets[tensor.index] == ONLINE)
    ]
    for one in requested:
        step = one.op.index + 1
        buffers.append(
            PlannedBuffer(tensor=None, op=one.op.index, nbytes=one.nbytes, first=step, last=step, offset=ONLINE)
        )
    return buffers


def _altered(buffer: PlannedBuffer, alteration: Alteration) -> PlannedBuffer:
    if buffer.tensor is None:
        return buffer
    first, last = alteration.lifetimes.get(buffer.tensor, (buffer.first, buffer.last))
    return replace(
        buffer,
        nbytes=alteration.nbytes.get(buffer.tensor, buffer.nbytes),
        first=first,
        last=last,
        offset=alteration.offsets.get(buffer.tensor, buffer.offset),
    )


def _lifetimes(graph: Graph) -> tuple[list[int], list[int]]:
    """First and last step of each tensor; both -1 where nothing uses it (micro_allocation_info.cc)."""
    first, last = [-1] * len(graph.tensors), [-1] * len(graph.tensors)
    for index in graph.inputs:
        first[index] = last[index] = 0
    for op in graph.ops:
        for index in op.outputs:
            first[index] = op.index + 1
        for index in (*op.inputs, *op.outputs):
            if index >= 0:
                last[index] = op.index + 1
    for index in graph.outputs:
        last[index] = len(graph.ops)
    return first, last


def _placed(buffers: Sequence[PlannedBuffer]) -> tuple[PlannedBuffer, ...]:
    lifetimes = [Buffer(nbytes=buffer.nbytes, first=buffer.first, last=buffer.last) for buffer in buffers]
    offsets = greedy_offsets(lifetimes, [buffer.offset for buffer in buffers])
    return tuple(replace(buffer, offset=offset) for buffer, offset in zip(buffers, offsets, strict=True))


def _finish(run: _Run, file: TflmFile, core: CoreSizes) -> None:
    """The TfLiteTensors that MicroInterpreter::input() and output() give out."""
    for what, indices in (("input", file.graph.inputs), ("output", file.graph.outputs)):
        run.keep(f"pointers to graph {what}s", core.pointer * len(indices), ALIGNMENT)
        for index in indices:
            for nbytes in tensor_parts(core, file.scales[index]):
                run.keep(f"TfLiteTensor of graph {what} {index}", nbytes)


def _arena(run: _Run, file: TflmFile, buffers: tuple[PlannedBuffer, ...]) -> TflmArena:
    steps = range(1, len(file.graph.ops) + 1)
    alive = {step: [b for b in buffers if b.first <= step <= b.last] for step in (0, *steps)}
    live = {step: sum(_up(b.nbytes, ALIGNMENT) for b in alive[step]) for step in alive}
    peak = max(steps, key=live.__getitem__)
    return TflmArena(
        used_bytes=run.head + run.tail,
        needed_bytes=_up(run.needed, ALIGNMENT),
        activation_bytes=run.head,
        persistent_bytes=run.tail,
        scratch_bytes=sum(_up(b.nbytes, ALIGNMENT) for b in alive[peak] if b.tensor is None),
        live_bytes=tuple(live[step] for step in steps),
        live_bound_bytes=max(live.values()),
        peak_op=peak - 1,
        peak_tensors=tuple(b.tensor for b in alive[peak] if b.tensor is not None),
        buffers=buffers,
        persistent=tuple(run.parts),
    )


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
