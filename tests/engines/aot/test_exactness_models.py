"""The public test models, compiled for each set of kernels, against TFLM bit for bit.

Inputs are noise, extremes and smooth: 200 for each model, of the large ones fewer by default (see `exactness`).
"""

import functools
from pathlib import Path

import numpy as np
import pytest
from core_engine import CORES, needs_emulator, run_on_core
from exactness import OBJECTIVES, how_many, varied_case
from host_engine import Case, assert_same, run_on_host, run_on_tflm

_SMALL = ("hello_world_int8.tflite", "ad01_int8.tflite", "micro_speech_int8.tflite")
_LARGE = ("kws_int8.tflite", "resnet8_int8.tflite", "vww_int8.tflite")


def samples_of(name: str) -> int:
    return 200 if name in _SMALL else how_many(16, 200)


@functools.cache
def inputs_and_outputs(path: Path, samples: int) -> tuple[Case, list[np.ndarray]]:
    case = varied_case(path.read_bytes(), samples=samples)
    (expected,) = run_on_tflm([case])
    return case, expected


@pytest.mark.parametrize("kernels", ["scalar", "dsp"])
@pytest.mark.parametrize("name", [*_SMALL, *_LARGE])
def test_a_public_model_gives_tflms_bits(model_file, name, kernels):
    case, expected = inputs_and_outputs(model_file(name), samples_of(name))
    assert_same([case], run_on_host([case], kernels), [expected])


@pytest.mark.parametrize("name", [*_SMALL, *_LARGE])
def test_a_public_model_gives_tflms_bits_whatever_it_is_compiled_for(model_file, name):
    case, expected = inputs_and_outputs(model_file(name), how_many(8, 200))
    cases = [Case(case.model, case.inputs, objective=objective) for objective in OBJECTIVES if objective]
    assert_same(cases, run_on_host(cases, "dsp"), [expected] * len(cases))


@needs_emulator
@pytest.mark.parametrize("core", CORES)
def test_public_models_on_a_core_give_tflms_bits(model_file, core):
    pairs = [inputs_and_outputs(model_file(name), how_many(8, 200)) for name in (*_SMALL, *_LARGE)]
    cases, expected = [case for case, _ in pairs], [outputs for _, outputs in pairs]
    assert_same(cases, run_on_core(core, cases), expected)


@needs_emulator
@pytest.mark.parametrize("objective", ["speed", "size", "ram"])
def test_public_models_on_a_core_give_tflms_bits_whatever_they_are_compiled_for(model_file, objective):
    pairs = [inputs_and_outputs(model_file(name), how_many(8, 200)) for name in (*_SMALL, *_LARGE)]
    cases = [Case(case.model, case.inputs, objective=objective) for case, _ in pairs]
    assert_same(cases, run_on_core("cortex-m4", cases), [outputs for _, outputs in pairs])
