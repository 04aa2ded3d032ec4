"""What is refused before anything is built, and that it is what TensorFlow Lite Micro itself refuses."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from op_models import one_op
from stateful_models import lstm_model, svdf_model
from tflite_builder import ModelBuilder, opened
from typed_models import KINDS, typed_model

from tinydeploy import process
from tinydeploy.engines.tflm.op_table import FLOAT_ONLY, KERNELS
from tinydeploy.engines.tflm.supported import check_ops
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model, read_model

TYPES = ("INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL")
POOL = {"padding": "SAME", **dict.fromkeys(("strideH", "strideW", "filterHeight", "filterWidth"), 1)}
PUBLIC_MODELS = ("kws", "vww", "resnet8", "ad01", "hello_world", "micro_speech")

# Where TensorFlow Lite Micro's package is not like the sources that the table was read from: it is newer, ...
NEWER = {
    ("RSQRT", "INT16"),
    ("GREATER", "INT16"),
    *(("CAST to BOOL", dtype) for dtype in ("INT8", "INT16", "INT32", "BOOL")),
}
# ... and these kernels never ask what they are given.
UNCHECKED = {(kind, dtype) for kind in ("LOGICAL_AND", "LOGICAL_OR") for dtype in TYPES if dtype != "BOOL"}
# It computes the inverse root of what is not negative; the trial's input is.
UNTRIED = {("RSQRT", "INT8")}


def graph_of(model: bytes) -> Graph:
    return parse_model(model, name="model.tflite")


def refusal(model: bytes, library_ops: frozenset[str] | None = None, kernels: str = "reference") -> ModelError:
    with pytest.raises(ModelError) as caught:
        check_ops(graph_of(model), library_ops, kernels=kernels)
    assert caught.value.exit_code == 3
    assert caught.value.summary.startswith("TensorFlow Lite Micro does not run model.tflite: ")
    return caught.value


def reasons(model: bytes, kernels: str = "reference") -> list[str]:
    return refusal(model, kernels=kernels).where["reasons"].splitlines()


def runs_in_tflm(models: list[bytes]) -> list[bool]:
    request = []
    for model in models:
        graph = graph_of(model)
        inputs = [graph.tensors[index] for index in graph.inputs]
        request.append((model, [(tensor.shape, tensor.dtype.numpy.str) for tensor in inputs]))
    worker = Path(__file__).resolve().parents[2] / "tflm_trial.py"
    finished = process.run([sys.executable, worker], package="python3", timeout_s=120, stdin=pickle.dumps(request))
    return list(pickle.loads(finished.stdout))


def is_accepted(model: bytes) -> bool:
    """Whether the ops are; whether the link carries the types of inputs and outputs is another question."""
    try:
        check_ops(graph_of(model))
    except ModelError as error:
        return not any(reason.startswith("op ") for reason in error.where["reasons"].splitlines())
    return True


def can_be_read(name: str, dtype: str) -> bool:
    """Some types do not pass the reader's checks of shapes, such as activations that are not of their weights' type."""
    try:
        graph_of(typed_model(name, dtype))
    except ModelError:
        return False
    return True


def test_what_is_accepted_is_what_the_interpreter_runs():
    cases = [(name, dtype) for name in KINDS for dtype in TYPES if can_be_read(name, dtype)]
    cases = [case for case in cases if case not in NEWER | UNCHECKED | UNTRIED]
    models = [typed_model(*case) for case in cases]
    pairs = zip(cases, models, runs_in_tflm(models), strict=True)
    wrong = {case: ran for case, model, ran in pairs if ran is not is_accepted(model)}
    assert len(cases) > 400
    assert not wrong


def test_every_kind_of_the_table_was_tried():
    tried = {name.split(" ")[0] for name in KINDS}
    assert set(KERNELS) - tried == {"BROADCAST_ARGS", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
    assert FLOAT_ONLY - tried == {"L2_POOL_2D"}


def ints(*values):
    return np.array(values, np.int32)


def bare(kind, inputs=1, outputs=1, dtype="INT8"):
    """A model of one op whose operands are all alike."""
    builder = ModelBuilder()
    sources = [builder.tensor((1, 4), dtype, scale=0.1) for _ in range(inputs)]
    results = [builder.tensor((1, 4), dtype, scale=0.1) for _ in range(outputs)]
    builder.op(kind, sources, results)
    return builder.finish(inputs=sources, outputs=results)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (bare("GELU"), "not in TensorFlow Lite Micro; use RELU, HARD_SWISH or x * LOGISTIC(1.702 x) instead"),
        (
            bare("EXP"),
            "computes with floats only; leave it out, the order stays; for probabilities use SOFTMAX or LOGISTIC",
        ),
        (
            bare("TOPK_V2", inputs=2, outputs=2),
            "not in TensorFlow Lite Micro; use ARG_MAX for the first, or sort the outputs outside of the model",
        ),
        (bare("SIN"), "computes with floats only; feed it as an input, or look it up: GATHER in a constant table"),
        (bare("MyOp"), "a custom op; convert without custom ops, or compute it outside of the model"),
        (bare("SignalWindow"), "a custom op; leave the audio front end to the program around the model"),
        (bare("ELU", dtype="INT16"), "supported only where input and output are int8"),
        (
            bare("ELU", dtype="FLOAT32"),
            "computes with floats; convert the model to full int8, with a representative data set",
        ),
        (
            one_op("LOGISTIC", (1, 4), (1, 4), output=(1 / 256, 0)),
            "supported only where the output's zero point is -128 (int8)",
        ),
        (
            one_op("RSQRT", (1, 4), (1, 4)),
            "supported only where the input's zero point is -128, so that nothing is negative",
        ),
        (
            one_op("TRANSPOSE", (1,) * 6, (1,) * 6, ints(*range(6))),
            "supported only where tensors have at most 5 dimensions",
        ),
        (
            one_op("STRIDED_SLICE", (1,) * 5, (1,) * 5, ints(*[0] * 5), ints(*[1] * 5), ints(*[1] * 5)),
            "supported only where tensors have at most 4 dimensions",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_named_with_the_reason_and_what_to_do(model, reason):
    kind = graph_of(model).ops[0].kind
    assert reasons(model) == [f"op 0 {kind}: {reason}"]


def mixed() -> bytes:
    """A graph with three things that cannot be run, and one that can."""
    builder = ModelBuilder()
    x, a, b, c = (builder.tensor((1, 4), scale=0.1) for _ in range(4))
    y = builder.tensor((1, 4), "INT64")
    builder.op("GELU", [x], [a])
    builder.op("RELU", [a], [b])
    builder.op("HyperTanh", [b], [c])
    builder.op("CAST", [c], [y])
    return builder.finish(inputs=[x], outputs=[y])


def test_everything_that_is_missing_is_listed_at_once():
    error = refusal(mixed())
    assert error.summary.endswith("4 of its ops, inputs and outputs are not supported")
    places = [reason.split(":")[0] for reason in error.where["reasons"].splitlines()]
    assert places == ["op 0 GELU", "op 2 HyperTanh", "op 3 CAST", "output tensor 4 (t4)"]
    assert error.where["reasons"].endswith("the link carries no int64")
    assert error.hint == "change these in the model; docs/supported-ops.md lists what is supported"


def test_hybrid_models_are_named_as_such():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), "FLOAT32"), builder.tensor((1, 2), "FLOAT32")
    builder.op("FULLY_CONNECTED", [x, builder.constant(np.ones((2, 4), np.int8), scale=0.1)], [y])
    (reason,) = reasons(builder.finish(inputs=[x], outputs=[y]))
    assert reason.startswith(
        "op 0 FULLY_CONNECTED: int8 weights with float activations: hybrid models are not supported"
    )
    assert reason.endswith("; convert the model to full int8, with a representative data set")


def test_an_op_that_the_library_lacks_is_refused():
    check_ops(graph_of(bare("ELU")), frozenset({"AddElu"}))
    reason = refusal(bare("ELU"), frozenset({"AddRelu"})).where["reasons"]
    assert reason == "op 0 ELU: the library's MicroMutableOpResolver has no AddElu(); use a newer library"


def test_what_only_cmsis_nn_cannot_do_is_refused_with_its_kernels_alone():
    model = one_op("TRANSPOSE", (1,) * 5, (1,) * 5, ints(*range(5)))
    check_ops(graph_of(model))
    expected = "op 0 TRANSPOSE: supported by CMSIS-NN's kernels only where tensors have at most 4 dimensions"
    assert reasons(model, kernels="cmsis_nn") == [expected]


def test_a_file_with_several_graphs_is_refused():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=0.1), builder.tensor((1, 4), scale=0.1)
    builder.op("RELU", [x], [y])
    builder.model.subgraphs.append(builder.graph)
    assert reasons(builder.finish(inputs=[x], outputs=[y])) == [
        "model: it has 2 graphs; convert it with one signature and without control flow"
    ]


def dense(bias_scale: float) -> bytes:
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=0.1), builder.tensor((1, 2), scale=0.1)
    weights = builder.constant(np.ones((2, 4), np.int8), scale=0.01)
    builder.op("FULLY_CONNECTED", [x, weights, builder.constant(ints(1, 2), scale=bias_scale)], [y])
    return builder.finish(inputs=[x], outputs=[y])


def svdf_of_another_bias() -> bytes:
    builder = opened(svdf_model())
    builder.graph.tensors[builder.graph.operators[0].inputs[3]].quantization.scale = [0.01]
    return builder.finish(inputs=builder.graph.inputs, outputs=builder.graph.outputs)


def combined(kind: str, *scales: float, to: str = "INT8", width: int = 4) -> bytes:
    """Int8 inputs of these scales, and an output with a scale of 0.1."""
    builder = ModelBuilder()
    inputs = [builder.tensor((1, 4), scale=scale) for scale in scales]
    y = builder.tensor((1, width), to, scale=0.1)
    builder.op(kind, inputs, [y], **({"axis": 1} if kind == "CONCATENATION" else {}))
    return builder.finish(inputs=inputs, outputs=[y])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (dense(bias_scale=0.01), "the bias has the scale of input times weights (within 0.02 of the output's), or "),
        (svdf_of_another_bias(), "the bias has the scale of state times time weights (within 1e-5)"),
        (
            one_op("HARD_SWISH", (1, 4), (1, 4), source=(13.0, 0)),
            "the input's scale is less than 128 times the output's",
        ),
        (combined("ADD", 1e6, 0.1), "each input's scale is less than 2**19 (int16: 2**14) times the output's"),
        (combined("SUB", 0.1, 1e6), "each input's scale is less than 2**19 (int16: 2**14) times the output's"),
        (combined("EQUAL", 1.5, 0.1, to="BOOL"), "int8 inputs have scales less than 1"),
        (combined("CONCATENATION", 0.1, 0.2, width=8), "inputs and output have one scale and zero point (int8)"),
        (combined("ADD_N", 0.1, 0.2), "all inputs have one scale and zero point (int8)"),
        (combined("CONCATENATION", *[0.1] * 11, width=44), "there are at most 10 inputs"),
        (
            one_op("MAX_POOL_2D", (1, 2, 2, 1), (1, 2, 2, 1), output=(0.2, 3), **POOL),
            "input and output are quantised alike",
        ),
    ],
)
def test_what_makes_the_interpreter_refuse_or_crash_is_refused(model, reason):
    kind = graph_of(model).ops[0].kind
    (found,) = [line for line in reasons(model) if line.startswith("op ")]
    assert found.startswith(f"op 0 {kind}: supported only where {reason}")
    assert runs_in_tflm([model]) == [False]


def lstm_with(damage) -> bytes:
    builder = opened(lstm_model())
    damage(builder, builder.graph.operators[0])
    return builder.finish(inputs=builder.graph.inputs, outputs=builder.graph.outputs)


def with_peephole(builder, op):
    op.inputs[9] = builder.constant(np.ones(8, np.int16), scale=0.1)


def without_bias(_, op):
    op.inputs[13] = -1


def with_other_activation(_, op):
    op.builtinOptions.fusedActivationFunction = 1


def with_sized_intermediates(builder, op):
    builder.graph.tensors[op.intermediates[0]].shape = [1]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (with_peephole, "supported only where it has no peephole connections"),
        (without_bias, "supported only where all four biases are there"),
        (with_other_activation, "supported only where its fused activation is TANH"),
        (with_sized_intermediates, "its intermediate tensors are not empty; convert the model again"),
    ],
)
def test_an_lstm_of_another_kind_is_refused_as_the_interpreter_does(damage, reason):
    model = lstm_with(damage)
    assert reasons(model) == [f"op 0 UNIDIRECTIONAL_SEQUENCE_LSTM: {reason}"]
    # The interpreter does not look at the activation, and computes without one.
    assert runs_in_tflm([model]) == [damage is with_other_activation]


@pytest.mark.parametrize("kernels", ["reference", "cmsis_nn"])
@pytest.mark.parametrize("model", [lstm_model(), svdf_model(), svdf_model("INT8")])
def test_models_with_a_state_are_accepted(model, kernels):
    check_ops(graph_of(model), kernels=kernels)


@pytest.mark.parametrize("name", PUBLIC_MODELS)
def test_the_public_int8_models_are_accepted(model_file, name):
    graph = read_model(model_file(f"{name}_int8.tflite"))
    check_ops(graph)
    check_ops(graph, kernels="cmsis_nn")
