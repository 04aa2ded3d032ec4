"""Ops that change nothing are gone; the graph's ends are what they were."""

import numpy as np
import pytest
from tflite_builder import ModelBuilder
from transformed import check_transformed, graph_of, kinds

from tinydeploy.engines.aot.passes import run_passes
from tinydeploy.engines.aot.passes.drop_identities import drop_identities

Q = {"scale": 0.05, "zero_point": -20}


class Chain:
    """A model of ops in a row, each with one data input; LOGISTIC has an output of its own quantisation."""

    def __init__(self, *shape):
        self.builder = ModelBuilder()
        self.x = self.last = self.builder.tensor(shape, **Q)

    def op(self, kind, shape, *parameters, quantization=Q, **options):
        output = self.builder.tensor(shape, **quantization)
        constants = [self.builder.constant(np.array(values, np.int32)) for values in parameters]
        self.builder.op(kind, [self.last, *constants], [output], **options)
        self.last = output
        return self

    def finish(self, *more):
        return self.builder.finish(inputs=[self.x], outputs=[*more, self.last])


UNIT = {"scale": 1 / 256, "zero_point": -128}
NOTHING = ((0, 0), (0, 0), (0, 0))
IDENTITIES = {
    "RESHAPE": ([(1, 4, 2)], {"newShape": [1, 4, 2]}),
    "QUANTIZE": ([], {}),
    "TRANSPOSE": ([(0, 1, 2)], {}),
    "PAD": ([NOTHING], {}),
    "LEAKY_RELU": ([], {"alpha": 1.0}),
}


@pytest.mark.parametrize("kind", IDENTITIES)
@pytest.mark.parametrize("place", ["first", "between", "last"])
def test_an_identity_goes_wherever_it_stands(kind, place):
    parameters, options = IDENTITIES[kind]
    chain, shape = Chain(1, 4, 2), (1, 4, 2)
    if place != "first":
        chain.op("TANH", shape, quantization={"scale": 1 / 128, "zero_point": 0})
        chain.op("QUANTIZE", shape)
    chain.op(kind, shape, *parameters, **options)
    if place != "last":
        chain.op("LOGISTIC", shape, quantization=UNIT)
    model = chain.finish()
    before = kinds(graph_of(model))
    after = kinds(drop_identities(graph_of(model)))
    assert len(after) == len(before) - 1
    assert after.count(kind) == before.count(kind) - 1
    check_transformed([model], drop_identities)


def test_a_table_that_changes_no_value_that_it_can_get_is_an_identity():
    chain = Chain(1, 8).op("RELU6", (1, 8)).op("RELU", (1, 8)).op("LOGISTIC", (1, 8), quantization=UNIT)
    model = chain.finish()
    assert kinds(drop_identities(graph_of(model))) == ["RELU6", "LOGISTIC"]
    check_transformed([model], drop_identities)


def test_of_reshapes_in_a_row_the_last_stays():
    chain = Chain(1, 12).op("RESHAPE", (1, 3, 4), (1, 3, 4)).op("RESHAPE", (1, 4, 3), (1, 4, 3))
    model = chain.op("EXPAND_DIMS", (1, 1, 4, 3), 1).op("RELU", (1, 1, 4, 3)).finish()
    graph = run_passes(graph_of(model))
    assert kinds(graph) == ["RESHAPE", "RELU"]
    assert graph.ops[0].inputs == graph.inputs
    check_transformed([model])


def test_reshapes_that_lead_back_go_altogether():
    model = (
        Chain(1, 12).op("RESHAPE", (1, 3, 4), (1, 3, 4)).op("RESHAPE", (1, 12), (1, 12)).op("RELU", (1, 12)).finish()
    )
    assert kinds(run_passes(graph_of(model))) == ["RELU"]
    check_transformed([model])


def test_other_readers_of_what_becomes_an_output_read_the_output():
    chain = Chain(1, 8).op("RELU", (1, 8))
    middle = chain.last
    other = chain.op("LOGISTIC", (1, 8), quantization=UNIT).last
    chain.last = middle
    model = chain.op("QUANTIZE", (1, 8)).finish(other)
    graph = drop_identities(graph_of(model))
    assert kinds(graph) == ["RELU", "LOGISTIC"]
    assert graph.ops[1].inputs == graph.ops[0].outputs == graph.outputs[1:]
    check_transformed([model], drop_identities)


@pytest.mark.parametrize(
    "model",
    [
        Chain(1, 8).op("QUANTIZE", (1, 8)).finish(),
        Chain(1, 8).op("QUANTIZE", (1, 8), quantization={"scale": 0.05, "zero_point": 0}).op("RELU", (1, 8)).finish(),
        Chain(1, 2, 3).op("TRANSPOSE", (1, 3, 2), (0, 2, 1)).op("RELU", (1, 3, 2)).finish(),
        Chain(1, 6).op("RESHAPE", (1, 2, 3), (1, 2, 3)).op("RELU", (1, 2, 3)).finish(),
    ],
    ids=["between input and output", "another zero point", "moves values", "another shape"],
)
def test_what_changes_something_stays(model):
    graph = graph_of(model)
    assert drop_identities(graph) is graph


def test_an_identity_between_two_outputs_stays():
    chain = Chain(1, 8).op("RELU", (1, 8))
    graph = graph_of(chain.op("QUANTIZE", (1, 8)).finish(chain.last - 1))
    assert graph.outputs[0] == graph.ops[0].outputs[0]
    assert drop_identities(graph) is graph
