"""Random graphs and networks, compiled for each set of kernels and every objective, against TFLM bit for bit.

The dsp kernels run on this machine with their instructions modelled in C and under sanitizers, all sets that cores have
also on emulated cores. Of 1,000 graphs some run by default: see `exactness`.
"""

from collections import Counter

import pytest
from core_engine import CORES, needs_emulator, run_on_core
from exactness import BATCH, graphs, how_many, single_ops
from host_engine import KERNELS, assert_same, run_on_host, run_on_tflm

_DSP_BATCHES = range(how_many(2, 20))
_SCALAR_BATCHES = range(how_many(1, 6))
_CORE_BATCHES = range(how_many(1, 2))
_CORE_GRAPHS = how_many(12, BATCH)
_OPS = how_many(8, 40)
_LEAST = how_many(3, 20)

_WAYS = (
    "plain",
    "3x3 on planes",
    "3x3 on planes, turned from NHWC",
    "4x2 tiles",
    "4x2 tiles, NHWC to planes",
    "4x2 tiles, on planes",
    "4x2 tiles, planes to NHWC",
    "4x2 tiles, two bytes a weight",
    "4x2 tiles, two bytes a weight, NHWC to planes",
    "4x2 tiles, two bytes a weight, on planes",
    "4x2 tiles, two bytes a weight, planes to NHWC",
    "Winograd, tiles of 2x2",
    "a plane through all pairs",
    "a table of all values",
    "row by row, 4 channels at a time",
    "sums of planes",
)
"""All that the dsp kernels are chosen for."""

_FAST_KINDS = ("ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MUL", "SUB")
"""Ops that have other kernels than the reference's in some set."""


@pytest.mark.parametrize("batch", _DSP_BATCHES)
def test_random_graphs_with_dsp_kernels_give_tflms_bits(batch):
    cases, expected = graphs(batch)
    assert_same(cases, run_on_host(cases, "dsp"), expected)


@pytest.mark.parametrize("batch", _SCALAR_BATCHES)
def test_random_graphs_with_scalar_kernels_give_tflms_bits(batch):
    cases, expected = graphs(batch)
    assert_same(cases, run_on_host(cases, "scalar"), expected)


@needs_emulator
@pytest.mark.parametrize("batch", _CORE_BATCHES)
@pytest.mark.parametrize("core", CORES)
def test_random_graphs_on_a_core_give_tflms_bits(core, batch):
    cases, expected = (values[:_CORE_GRAPHS] for values in graphs(batch))
    assert_same(cases, run_on_core(core, cases), expected)


def test_random_graphs_are_computed_in_every_way_that_dsp_kernels_offer():
    ways: Counter[str] = Counter()
    kernels: Counter[str] = Counter()
    for batch in _DSP_BATCHES:
        for case in graphs(batch)[0]:
            plan = case.plan("dsp")
            ways.update({way.name for found in plan.ways for way in found if way.is_chosen})
            kernels.update(plan.generate().kernels)

    assert set(ways) == set(_WAYS), "list new ways, and see to it that random graphs are computed in them"
    assert {way: count for way, count in ways.items() if count < _LEAST} == {}
    of_dsp = [source.relative_to(KERNELS).as_posix() for source in (KERNELS / "dsp").glob("*.[cS]")]
    assert [name for name in of_dsp if kernels[name] < _LEAST and not name.endswith("_in_c.c")] == []


@pytest.mark.parametrize("kernels", ["scalar", "dsp"])
def test_random_models_of_one_op_with_fast_kernels_give_tflms_bits(kernels):
    cases = single_ops(_FAST_KINDS, _OPS)
    assert_same(cases, run_on_host(cases, kernels), run_on_tflm(cases))


@needs_emulator
@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4", "cortex-m55"])
def test_random_models_of_one_op_on_a_core_give_tflms_bits(core):
    cases = single_ops(_FAST_KINDS, how_many(3, 20))
    assert_same(cases, run_on_core(core, cases), run_on_tflm(cases))
