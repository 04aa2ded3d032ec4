"""Finds the first layer that is wrong, and tells a kernel's fault from the memory plan's and the model's."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from tinydeploy.engines.interface import EnginePlan, EngineSettings
from tinydeploy.errors import FitError
from tinydeploy.link.session import Session
from tinydeploy.localize.localization import Fault, Localization, layer_difference
from tinydeploy.localize.reference import layer_reference
from tinydeploy.localize.watch_layers import Seen, Watched
from tinydeploy.memory.memory_map import MapBlock
from tinydeploy.model.graph import Graph
from tinydeploy.model.text import printable
from tinydeploy.samples import Samples

Start = Callable[[EngineSettings], AbstractContextManager[tuple[EnginePlan, Session]]]
"""Has a board run the firmware with these settings while the block lasts; a `FitError` where that is too big."""


def localize(graph: Graph, samples: Samples, sample: int, settings: EngineSettings, start: Start) -> Localization:
    """Looks for the first layer that is wrong at ``sample``, whose outputs were, and for the reason.

    The firmware is built once more so that it stops between its layers; kernels and memory plan stay what they are.
    What the layer is repeated with then decides whose fault it is: see `_fault`.

    Raises:
        TinydeployError: As building and running do.
    """
    until = samples.take(range(sample + 1) if graph.is_stateful else [sample])
    reference = layer_reference(graph, until)

    def watched(engine: EnginePlan, session: Session) -> Watched:
        return Watched(engine=engine, session=session, samples=until, reference=reference)

    observable = replace(settings, observable=True)
    with start(observable) as (engine, session):
        board = watched(engine, session)
        wrong = _first_wrong(board)
        overwritten = None if wrong is None else _first_overwritten(board, wrong)
    inputs = samples[sample]
    if wrong is None:
        return Localization(difference=None, fault=Fault.ELSEWHERE, because=_NO_LAYER, inputs=inputs)

    def is_right_with(changed: EngineSettings) -> bool:
        with start(changed) as (engine, session):
            return _is_right(watched(engine, session), wrong)

    fault, because = _fault(engine, wrong, overwritten, observable, is_right_with)
    difference = layer_difference(
        wrong.tensor,
        wrong.device,
        wrong.reference,
        sample=wrong.sample if graph.is_stateful else sample,
        layer=wrong.op.index,
        channels=engine.executed.tensors[wrong.tensor].channels,
    )
    return Localization(
        difference=difference,
        fault=fault,
        because=because + _of_state(graph, wrong),
        inputs=until[wrong.sample],
        device=wrong.device,
        reference=wrong.reference,
    )


_NO_LAYER = (
    "every layer is right in the same firmware made to stop between its layers: look at the stack, at what else the "
    "application does, and at what the board was flashed with"
)


def _first_wrong(board: Watched) -> Seen | None:
    """In the order of inferences, then of layers."""
    board.bring_to(0)
    every = (seen for sample in range(board.samples.count) for seen in board.outputs(sample))
    return next((seen for seen in every if not seen.is_right), None)


def _first_overwritten(board: Watched, wrong: Seen) -> Seen | None:
    """An input of the wrong layer that was right when it was written and is not when the layer begins, if there is one.

    It comes with the op after which it is wrong for the first time.
    """
    ops = [op for op in board.ops() if op.index < wrong.op.index]
    if not ops or all(seen.is_right for seen in board.tensors(wrong.sample, wrong.op.inputs, ops[-1:])):
        return None
    every = board.tensors(wrong.sample, wrong.op.inputs, ops)
    return next((seen for seen in every if not seen.is_right), None)


def _is_right(board: Watched, wrong: Seen) -> bool:
    """Whether a tensor is right on another firmware, right after the op that writes it there."""
    ops = [op for op in board.ops() if wrong.tensor in op.outputs]
    return all(seen.is_right for seen in board.tensors(wrong.sample, [wrong.tensor], ops))


def _fault(
    engine: EnginePlan,
    wrong: Seen,
    overwritten: Seen | None,
    settings: EngineSettings,
    is_right_with: Callable[[EngineSettings], bool],
) -> tuple[Fault, str]:
    """Whose fault a wrong layer is, and why.

    Where its input was overwritten, it is the memory plan's if that let it be, else of the kernel that did it. Where
    its input is right: the memory plan's if blocks that the layer uses overlap, or if it is right with all tensors
    apart; else the kernel's if it is right with reference kernels; else the model's, as this engine reads it.
    """
    if overwritten is not None:
        return _fault_of_overwriting(engine, overwritten)
    shared = _overlap(engine, wrong)
    if shared is not None:
        return Fault.MEMORY_PLAN, f"{shared.label} and what this layer writes overlap in the memory plan"
    if engine.engine == "aot" and _can(is_right_with, replace(settings, apart=True)):
        return Fault.MEMORY_PLAN, "it is right when every tensor has memory of its own"
    if engine.kernels == "reference":
        return Fault.MODEL, "its inputs are right, and these are the reference kernels already"
    if is_right_with(replace(settings, kernels="reference")):
        return Fault.KERNEL, "its inputs are right, and with --kernels reference so is its output"
    return Fault.MODEL, "its inputs are right, but its output is wrong with --kernels reference too"


def _fault_of_overwriting(engine: EnginePlan, overwritten: Seen) -> tuple[Fault, str]:
    block = engine.memory.block_of(overwritten.tensor)
    assert block is not None
    writer, name = str(overwritten.op), printable(engine.graph.tensors[overwritten.tensor].name)
    if any(_intersect(block, other) for other in _written(engine, overwritten.op.index)):
        return Fault.MEMORY_PLAN, f"its input {name} was right until {writer}, which is planned to write over it"
    return Fault.KERNEL, f"its input {name} was right until {writer}, which wrote outside of its own memory"


def _written(engine: EnginePlan, op: int) -> Iterator[MapBlock]:
    """The blocks that an op writes to: its outputs and its working memory."""
    steps = engine.memory.steps_of(op)
    outputs = {tensor for other in engine.executed.ops if other.index == op for tensor in other.outputs}
    for block in engine.memory.blocks:
        is_output = block.tensor in outputs or not outputs.isdisjoint(block.aliases)
        if block.is_in_arena and (is_output or (block.kind == "scratch" and any(map(block.is_alive, steps)))):
            yield block


def _overlap(engine: EnginePlan, wrong: Seen) -> MapBlock | None:
    """A block that the wrong layer reads or works in, and that it is planned to write over without being allowed to.

    What it reads has to be there when it begins, whatever the plan says of how long it is alive.
    """
    written = tuple(_written(engine, wrong.op.index))
    read = [block for index in wrong.op.inputs if (block := engine.memory.block_of(index)) is not None]
    for step in engine.memory.steps_of(wrong.op.index):
        begins = step == engine.memory.steps_of(wrong.op.index)[0]
        for block in written:
            for other in (*read, *written):
                is_there = other.is_alive(step) or (begins and other in read)
                is_allowed = other is block or other.tensor in (block.takes_over, block.tensor)
                if block.is_alive(step) and is_there and not is_allowed and _intersect(block, other):
                    return other
    return None


def _intersect(block: MapBlock, other: MapBlock) -> bool:
    return block.is_in_arena and other.is_in_arena and block.offset < other.end and other.offset < block.end


def _can(is_right_with: Callable[[EngineSettings], bool], settings: EngineSettings) -> bool:
    """Whether it is right with these settings; not where that does not fit on the board."""
    try:
        return is_right_with(settings)
    except FitError:
        return False


def _of_state(graph: Graph, wrong: Seen) -> str:
    """What is to be said of a layer with a state that is wrong only later on."""
    has_state = any(graph.tensors[index].is_variable for index in wrong.op.inputs if index >= 0)
    if not has_state or wrong.sample == 0:
        return ""
    return f"; it was right at the first {wrong.sample} inferences: it does not keep its state"
