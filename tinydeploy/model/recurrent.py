"""Checks of single ops that keep a state from one inference to the next; see shapes.py."""

from collections.abc import Callable
from typing import cast

from tinydeploy.model.fit import Case, MisfitError, need_rank
from tinydeploy.model.graph import LstmOptions, SvdfOptions, Tensor
from tinydeploy.model.text import shape_text, tensor_label

LSTM_INPUTS = 24
"""Of UNIDIRECTIONAL_SEQUENCE_LSTM, most of them optional (tensorflow/lite/kernels/lstm_shared.h)."""

LSTM_INPUT_WEIGHTS = range(1, 5)
LSTM_RECURRENT_WEIGHTS = range(5, 9)
LSTM_BIASES = range(12, 16)
LSTM_HIDDEN_STATE = 18
LSTM_CELL_STATE = 19


def _lstm(case: Case) -> None:
    """Optional inputs that are left out are not looked at: whether an engine can do without is its own question."""
    case.arity(LSTM_INPUTS, LSTM_INPUTS)
    source, hidden = case.data(), _state(case, LSTM_HIDDEN_STATE)
    first, second, features = need_rank(source, 3, "input")
    batch = second if cast("LstmOptions", case.op.options).time_major else first
    units = hidden.elements // batch
    case.same_type(source, hidden, case.output)
    case.per_tensor(source, hidden, case.output, _state(case, LSTM_CELL_STATE))
    for positions, columns in ((LSTM_INPUT_WEIGHTS, features), (LSTM_RECURRENT_WEIGHTS, units)):
        for position in positions:
            _has_shape(case.optional(position), (units, columns))
    for position in LSTM_BIASES:
        _has_shape(case.optional(position), (units,))
    for position in (LSTM_HIDDEN_STATE, LSTM_CELL_STATE):
        _has_elements(_state(case, position), batch * units)
    case.yields((first, second, units))


def _svdf(case: Case) -> None:
    """Inputs: data, feature weights, time weights, bias, state (tensorflow/lite/micro/kernels/svdf_common.cc)."""
    case.arity(5, 5)
    rank = cast("SvdfOptions", case.op.options).rank
    batch, features = need_rank(case.data(), 2, "input")
    filters, _ = need_rank(case.data(1), 2, "weights")
    _, memory = need_rank(case.data(2), 2, "time weights")
    if filters % rank:
        raise MisfitError(f"{filters} filters are no multiple of the rank {rank}")
    _has_shape(case.data(1), (filters, features))
    _has_shape(case.data(2), (filters, memory))
    _has_shape(case.optional(3), (filters // rank,))
    _has_shape(_state(case, 4), (batch, memory * filters))
    case.per_tensor(case.data(), case.output)
    case.yields((batch, filters // rank))


def _state(case: Case, position: int) -> Tensor:
    tensor = case.data(position)
    if not tensor.is_variable:
        raise MisfitError(f"{tensor_label(tensor)} is not a variable, which a state has to be")
    return tensor


def _has_shape(tensor: Tensor | None, expected: tuple[int, ...]) -> None:
    if tensor is not None and tensor.shape != expected:
        shown = shape_text(expected)
        raise MisfitError(f"{tensor_label(tensor)} is {shape_text(tensor.shape)}, expected {shown}")


def _has_elements(tensor: Tensor, expected: int) -> None:
    if tensor.elements != expected:
        raise MisfitError(f"{tensor_label(tensor)} has {tensor.elements} elements, expected {expected}")


RECURRENT_RULES: dict[str, Callable[[Case], None]] = {
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
