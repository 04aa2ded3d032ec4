"""What a firmware with TensorFlow Lite Micro takes beside model and arena: estimates, within 5 % of what is built.

Interpreter and kernels are measured by core and choice of kernels, compiled as library.py has it:
firmware/sizes/tflm.json, which names compiler and library. docs/budget-accuracy.md says how near the estimates come: up
to 8 % too high with kinds of ops that were measured on another core only.
"""

from tinydeploy.boards import Board
from tinydeploy.engines.size_table import firmware_state_bytes, model_tables_bytes, read_size_table
from tinydeploy.engines.tflm.resolver import ResolvedOp
from tinydeploy.model.graph import Graph

_KIND_STATE_BYTES = 36
"""What the op resolver holds of each kind: a registration, and the parser of its options. The table has one kind's."""


_MODEL_BYTES = 20
"""``struct td_tflm_model``: firmware/tflm/td_tflm.h."""


def code_bytes(graph: Graph, ops: tuple[ResolvedOp, ...], board: Board, kernel_set: str | None) -> int:
    """What a firmware that resolves these ops has in flash beside the model, in bytes.

    ``kernel_set`` names the kernels; of others than CMSIS-NN's the reference ones are taken.
    """
    table = read_size_table("tflm")
    firmware = table.flash_bytes(board, _column(board, kernel_set), _users(ops))
    return firmware + model_tables_bytes(graph) + _MODEL_BYTES


def state_bytes(ops: tuple[ResolvedOp, ...], board: Board, kernel_set: str | None) -> int:
    """RAM of the interpreter, the profiler, the C library, and the op resolver with its entry for each kind."""
    table = read_size_table("tflm")
    whole = table.state_bytes(_column(board, kernel_set), _users(ops))
    return whole - firmware_state_bytes(board) + _KIND_STATE_BYTES * (len(ops) - 1)


def _column(board: Board, kernel_set: str | None) -> str:
    return read_size_table("tflm").column(board.core, "cmsis_nn" if kernel_set == "cmsis_nn" else "reference")


def _users(ops: tuple[ResolvedOp, ...]) -> set[str]:
    """The names that the table has for them: the kind, or the kind's registration for int8 alone."""
    return {f"{op.kind} int8" if op.header else op.kind for op in ops}
