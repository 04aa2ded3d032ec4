"""The fixture `deployment` with the other engine, with a model that remembers, and with one that is converted first."""

import pytest
from command_line import DIGITS
from extras import needs_tensorflow
from plugin_run import PluginRun
from stateful_models import svdf_model

BOARD = "qemu-cortex-m4"

WITH_TFLM = f"""
import numpy as np
import pytest

@pytest.mark.parametrize("kernels", ["optimized", "reference"])
def test_it_matches(deployment, kernels):
    device = deployment({str(DIGITS)!r}, kernels=kernels)
    device.assert_matches_reference()
    assert (device.plan.engine.engine, device.plan.engine.kernels) == ("tflm", kernels)
    device.assert_within(arena=device.memory.arena_reserved_bytes)

def test_a_state_goes_on_until_a_reset(deployment):
    device = deployment("svdf.tflite")
    same = np.full((4, 6), 40, np.int8)
    first, second = device.run(same[:1]), device.run(same[:1])
    assert not np.array_equal(first, second)
    device.reset()
    assert np.array_equal(device.run(same[:2]), np.concatenate([first, second]))

def test_the_assertions_begin_with_the_initial_state(deployment):
    device = deployment("svdf.tflite")
    device.assert_matches_reference(np.full((4, 6), 40, np.int8))
    device.assert_matches_reference(np.full((4, 6), 40, np.int8))
"""

OF_A_FLOAT_MODEL = """
import numpy as np

SAMPLES = np.linspace(0, 6.28, 100, dtype=np.float32).reshape(-1, 1)

def test_it_is_converted_and_matches(deployment):
    device = deployment("hello_world_float.tflite", samples=SAMPLES)
    device.assert_matches_reference()
    assert deployment("hello_world_float.tflite", samples=SAMPLES.copy()) is device
    assert np.abs(device.run(SAMPLES)[:, 0] - np.sin(SAMPLES[:, 0])).max() < 0.2
    device.assert_within(arena="4K")
"""


@pytest.fixture
def project(tmp_path, cache):
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return PluginRun(folder=tmp_path, cache=cache)


def test_tensorflow_lite_micro_runs_too_and_keeps_a_models_state(project, tflm_library):
    (project.folder / "svdf.tflite").write_bytes(svdf_model())
    project.write(WITH_TFLM)
    options = ("--tinydeploy-board", BOARD, "--tinydeploy-engine", "tflm")
    ran = project(*options, TINYDEPLOY_TFLM_LIB=str(tflm_library))
    assert (ran.code, len(ran.cases)) == (0, 4), ran.out
    assert {case.properties["tinydeploy_engine"] for case in ran.cases.values()} == {"tflm"}
    assert {case.properties["tinydeploy_kernels"] for case in ran.cases.values()} == {"optimized", "reference"}


@needs_tensorflow
def test_a_float_model_is_converted_with_the_samples_and_once(project, model_file):
    source = model_file("hello_world_float.tflite")
    (project.folder / source.name).write_bytes(source.read_bytes())
    project.write(OF_A_FLOAT_MODEL)
    ran = project("--tinydeploy-board", BOARD)
    assert ran.code == 0, ran.out
