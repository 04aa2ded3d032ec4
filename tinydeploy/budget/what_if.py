"""What would make a model's RAM smaller: sentences with figures, each of them planned and not guessed.

What is planned again is the arena, by the rules of the engine. Whether a model that is changed still does what it is
for is not known here; whatever needs such a change says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tinydeploy.budget.what_if_halves import in_two_parts
from tinydeploy.engines.interface import EnginePlan
from tinydeploy.errors import TinydeployError
from tinydeploy.memory.memory_map import Alteration, MapBlock
from tinydeploy.memory.planner import Block, Buffer, align, place
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.text import printable, shape_text
from tinydeploy.plan import Plan, Replan, make_plan

_ELEMENTWISE = frozenset(
    """ABS ADD DIV ELU EXPAND_DIMS HARD_SWISH LEAKY_RELU LOGISTIC MUL NEG PRELU QUANTIZE RELU RELU6 RELU_N1_TO_1
    RESHAPE SQUEEZE SUB TANH""".split()  # noqa: SIM905 - twenty words read better so
)
"""Ops whose every output value depends on the input value at its place, so that it can be written over it."""


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """``saved_bytes`` less RAM, ``ram_bytes`` in all, if ``change``. ``cost`` is what has to be done or paid for it."""

    change: str
    cost: str
    saved_bytes: int
    ram_bytes: int


@dataclass(frozen=True, kw_only=True)
class _Idea:
    """A change, and the RAM that the plan would take with it."""

    change: str
    cost: str
    ram_bytes: int


def what_if(plan: Plan, *, replan: Replan, replan_for_ram: Replan | None = None) -> tuple[WhatIf, ...]:
    """Whatever would save RAM, the most first.

    ``replan`` is asked for the other engine. ``replan_for_ram`` plans with ``--optimize ram``; None where that was
    asked for already, or the engine does not take it.
    """
    ideas = (
        *_other_engine(plan, replan),
        *_for_ram(plan, replan_for_ram),
        *_one_buffer(plan),
        *_smaller_input(plan),
        *_better_placed(plan),
        *_two_parts(plan),
        *_in_place(plan),
    )
    found = (
        WhatIf(
            change=idea.change,
            cost=idea.cost,
            saved_bytes=plan.ram.used_bytes - idea.ram_bytes,
            ram_bytes=idea.ram_bytes,
        )
        for idea in ideas
    )
    return tuple(sorted((one for one in found if one.saved_bytes > 0), key=lambda one: -one.saved_bytes))


def next_peak(plan: Plan) -> str | None:
    """How much there is to be gained at the arena's peak alone: a sentence; None without an arena.

    What the planner has not made use of counts as a gain: with a smaller peak it may place better.
    """
    engine, peak = plan.engine, plan.engine.peak
    others = [(live, op) for op, live in enumerate(engine.layer_arena_bytes) if peak is None or op != peak.op]
    if peak is None or not others:
        return None
    live, op = max(others, key=lambda one: (one[0], -one[1]))
    here, there = (f"op {index} {printable(plan.graph.ops[index].kind)}" for index in (peak.op, op))
    less = engine.layer_arena_bytes[peak.op] - live
    gain = less + engine.arena_reserved_bytes - engine.lower_bound_bytes
    most = f"no more than {gain:,} B are" if gain > 0 else "nothing is"
    if less <= 0:
        return f"{there} needs as much as {here}, {live:,} B: {most} to be gained at one of them alone"
    return f"without the peak at {here} the next is {there} with {live:,} B: {most} to be gained"


def _with_arena(plan: Plan, alteration: Alteration) -> int:
    """All RAM, if the arena were of what is altered."""
    return plan.ram.used_bytes - plan.engine.arena_reserved_bytes + plan.engine.arena_if(alteration)


def _other_engine(plan: Plan, replan: Replan) -> Iterator[_Idea]:
    other = "tflm" if plan.engine.engine == "aot" else "aot"
    if found := _attempt(plan, other, replan):
        flash = found.flash.used_bytes - plan.flash.used_bytes
        yield _Idea(
            change=f"the {other} engine runs it",
            cost=f"--engine {other}; {abs(flash):,} B {'more' if flash > 0 else 'less'} of flash"
            + (" (estimated)" if found.engine.arena_estimated else ""),
            ram_bytes=found.ram.used_bytes,
        )


def _for_ram(plan: Plan, replan: Replan | None) -> Iterator[_Idea]:
    if replan and (found := _attempt(plan, plan.engine.engine, replan)):
        slower = _instructions(found.engine) / max(1, _instructions(plan.engine)) - 1
        yield _Idea(
            change="it is compiled for the least RAM",
            cost=f"--optimize ram; {slower:.0%} more instructions (estimated)",
            ram_bytes=found.ram.used_bytes,
        )


def _attempt(plan: Plan, engine: str, replan: Replan) -> Plan | None:
    try:
        return replan(plan.board, engine)
    except TinydeployError:
        return None


def _instructions(engine: EnginePlan) -> int:
    return sum(way.instructions for ways in engine.ways for way in ways if way.is_chosen)


def _one_buffer(plan: Plan) -> Iterator[_Idea]:
    if plan.buffers > 1:
        yield _Idea(
            change="there is one input and one output buffer",
            cost="--buffers 1; no input is received while one is computed",
            ram_bytes=make_plan(plan.engine, plan.board, buffers=1).ram.used_bytes,
        )


def _smaller_input(plan: Plan) -> Iterator[_Idea]:
    """The input at half height and width, and with it all tensors of images."""
    graph, engine = plan.graph, plan.engine
    images = [graph.tensors[index] for index in graph.inputs if _is_image(graph.tensors[index])]
    if not images:
        return
    shapes = {tensor.index: _halved(tensor.shape) for tensor in graph.tensors if _is_image(tensor)}
    nbytes = {
        block.tensor: max(1, block.nbytes * _elements(shapes[block.tensor]) // graph.tensors[block.tensor].elements)
        for block in engine.memory.blocks
        if block.tensor in shapes
    }
    saved_inputs = engine.input_bytes - _row(graph, graph.inputs, shapes)
    saved_outputs = engine.output_bytes - _row(graph, graph.outputs, shapes)
    sizes = ", ".join(f"{shape_text(shapes[image.index])} instead of {shape_text(image.shape)}" for image in images)
    yield _Idea(
        change=f"the input is {sizes}",
        cost="a model that is made and trained for it",
        ram_bytes=_with_arena(plan, Alteration(nbytes=nbytes)) - plan.buffers * (saved_inputs + saved_outputs),
    )


def _is_image(tensor: Tensor) -> bool:
    return not tensor.is_constant and len(tensor.shape) == 4 and tensor.shape[1] * tensor.shape[2] > 1


def _halved(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[0], -(-shape[1] // 2), -(-shape[2] // 2), shape[3]


def _elements(shape: tuple[int, ...]) -> int:
    return shape[0] * shape[1] * shape[2] * shape[3]


def _row(graph: Graph, tensors: tuple[int, ...], shapes: Mapping[int, tuple[int, ...]]) -> int:
    """Bytes of a buffer of the link: its tensors in a row."""
    return sum(
        align(_elements(shapes[index]) * graph.tensors[index].dtype.itemsize)
        if index in shapes
        else align(graph.tensors[index].nbytes)
        for index in tensors
    )


def _better_placed(plan: Plan) -> Iterator[_Idea]:
    """TensorFlow Lite Micro places greedily, unless the file brings a plan along."""
    if plan.engine.engine != "tflm":
        return
    blocks = [block for block in plan.engine.memory.blocks if block.kind in ("tensor", "scratch")]
    placement = place([Block.of(Buffer(nbytes=b.nbytes, first=b.first, last=b.last)) for b in blocks])
    offsets = {
        block.tensor: offset
        for block, offset in zip(blocks, placement.offsets, strict=True)
        if block.tensor is not None
    }
    yield _Idea(
        change="tensors are placed by search instead of greedily",
        cost="an offline memory plan (OfflineMemoryAllocation) in the model file; tinydeploy does not write one",
        ram_bytes=_with_arena(plan, Alteration(offsets=offsets)),
    )


def _two_parts(plan: Plan) -> Iterator[_Idea]:
    """The best of the tensors at the peak that could be made and used up in two halves."""
    halves = [half for index in _peak_tensors(plan) if (half := in_two_parts(plan, index))]
    trials = [(_with_arena(plan, half.alteration), half) for half in halves]
    if trials:
        ram_bytes, half = min(trials, key=lambda trial: trial[0])
        yield _Idea(change=half.change, cost=half.cost, ram_bytes=ram_bytes)


def _in_place(plan: Plan) -> Iterator[_Idea]:
    """Ops on single values that write beside their input, at the peak, although the input is not needed afterwards."""
    for index in _peak_tensors(plan):
        trial = _written_over(plan, index)
        if trial:
            op, alteration = trial
            yield _Idea(
                change=f"{op} is written over its input",
                cost=f"the {plan.engine.engine} engine does not do that here: the model has to do without the op",
                ram_bytes=_with_arena(plan, alteration),
            )


def _written_over(plan: Plan, tensor: int) -> tuple[str, Alteration] | None:
    """If the op that makes the tensor wrote it where its first input is."""
    graph, memory = plan.graph, plan.engine.memory
    op = next((op for op in graph.ops if tensor in op.outputs), None)
    if op is None or op.kind not in _ELEMENTWISE or op.is_custom or op.inputs[0] < 0:
        return None
    target, source = memory.block_of(tensor), memory.block_of(op.inputs[0])
    if not _may_follow(target, source):
        return None
    assert target is not None
    assert source is not None
    assert target.tensor is not None
    assert source.tensor is not None
    return f"op {op.index} {printable(op.kind)}", Alteration(
        nbytes={source.tensor: max(source.nbytes, target.nbytes), target.tensor: 0},
        lifetimes={source.tensor: (source.first, target.last)},
    )


def _may_follow(target: MapBlock | None, source: MapBlock | None) -> bool:
    """Whether one tensor of the arena begins just where the other ends, and is not written over it already."""
    if target is None or source is None or target is source or target.takes_over is not None:
        return False
    return target.kind == source.kind == "tensor" and source.last == target.first


def _peak_tensors(plan: Plan) -> tuple[int, ...]:
    return plan.engine.peak.tensors if plan.engine.peak else ()
