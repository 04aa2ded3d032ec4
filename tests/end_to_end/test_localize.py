"""Faults are planted one at a time, and `verify --localize` has to find each: the layer, and whose fault it is."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from bare_board import add_upload, bare_board
from click.testing import CliRunner
from command_line import DIGITS, DIGITS_SAMPLES
from random_graphs import Net
from stateful_models import lstm_model

from tinydeploy import pipeline, project
from tinydeploy.building import settled
from tinydeploy.cli import tinydeploy
from tinydeploy.deployment import Deployment, Target
from tinydeploy.engines.aot import layout
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.files import data_dir
from tinydeploy.integer_model import integer_model
from tinydeploy.localize.localization import Fault, Localization
from tinydeploy.localize.reference import layer_reference
from tinydeploy.localize.watch_layers import Watched
from tinydeploy.progress import SILENT, Stopwatch
from tinydeploy.running import running
from tinydeploy.samples import FIRST_NOISE, default_samples

M3, M4 = "qemu-cortex-m3", "qemu-cortex-m4"

RIGHT_WITH_REFERENCE = "its inputs are right, and with --kernels reference so is its output"


@dataclass(frozen=True)
class Workshop:
    """Deploys with firmware sources in which faults can be planted."""

    firmware: Path

    def plant(self, source: str, right: str, wrong: str) -> None:
        """Changes one place of a source, which has to be there exactly once."""
        path = self.firmware / source
        text = path.read_text(encoding="utf-8")
        assert text.count(right) == 1, f"{source} has {right!r} {text.count(right)} times"
        path.write_text(text.replace(right, wrong), encoding="utf-8")

    def plant_in_library(self, source: Path, right: str, wrong: str) -> None:
        """Gives the firmware a function of its own in place of a library's: that with a change in one place."""
        text = source.read_text(encoding="utf-8")
        assert text.count(right) == 1, f"{source.name} has {right!r} {text.count(right)} times"
        adapter = self.firmware / "tflm" / "td_tflm.cc"
        planted = f'\n#if __has_include("arm_nnfunctions.h")\n{text.replace(right, wrong)}\n#endif\n'
        adapter.write_text(adapter.read_text(encoding="utf-8") + planted, encoding="utf-8")

    def verify(
        self,
        model: Path,
        board: str = M4,
        *,
        samples: Path | None = None,
        port: str | None = None,
        localize: bool = True,
        **options: object,
    ) -> Deployment:
        return pipeline.verify(model, Target(board=board, **options), samples=samples, port=port, localize=localize)


@pytest.fixture
def workshop(tmp_path, monkeypatch, use_cache) -> Workshop:  # noqa: ARG001 - sets the environment
    """``firmware`` is a copy from which projects are made."""
    firmware = tmp_path / "firmware"
    shutil.copytree(data_dir("firmware"), firmware)
    monkeypatch.setattr(project, "data_dir", lambda name: firmware if name == "firmware" else data_dir(name))
    return Workshop(firmware=firmware)


@contextmanager
def kept_board(model: Path, board: str) -> Iterator[str]:
    """The port of a virtual board that was flashed before."""
    kept = pipeline.flash(model, Target(board=board), keep=True).kept
    try:
        yield kept.port
    finally:
        os.kill(kept.pid, signal.SIGKILL)


def found(deployment: Deployment) -> Localization:
    assert not deployment.ok
    assert deployment.localization is not None
    return deployment.localization


def residual_model(folder: Path) -> Path:
    """The output of the first convolution, of 512 bytes, is read again by the addition behind two others."""
    net = Net(7, wild=0.0)
    x = net.conv_2d(net.input((1, 8, 8, 4)), channels=8, window=(3, 3), keep_size=True)
    y = net.conv_2d(x, channels=16, window=(1, 1), keep_size=True)
    y = net.conv_2d(y, channels=8, window=(1, 1), keep_size=True)
    path = folder / "residual.tflite"
    path.write_bytes(net.finish(net.arithmetic("ADD", x, y)))
    return path


@pytest.mark.parametrize(("name", "board"), [("digits", M4), ("vww", M4), ("resnet8", "qemu-cortex-m55")])
def test_all_layers_of_what_is_right_are_right(name, board, model_file, use_cache):  # noqa: ARG001 - sets the environment
    """Planes, channels that were removed, tensors written over their inputs: whatever the plan does can be read."""
    model = DIGITS if name == "digits" else model_file(f"{name}_int8.tflite")
    watch = Stopwatch(SILENT)
    source = integer_model(model, None, watch)
    samples = default_samples(source.graph).take([FIRST_NOISE])
    target = Target(board=board, settings=EngineSettings(observable=True))
    built = settled(source, target, watch, port=None)
    with running(built, watch, port=None) as (_, session):
        reference = layer_reference(source.graph, samples)
        watched = Watched(engine=built.plan.engine, session=session, samples=samples, reference=reference)
        every = list(watched.outputs(0))
    assert [str(seen.op) for seen in every if not seen.is_right] == []
    assert {seen.op.index for seen in every} == {op.index for op in watched.ops()}


def test_a_wrong_rounding_in_a_kernel_is_found_and_named(workshop):
    workshop.plant("kernels/scalar/average_pool_2d.c", "+ by.count / 2)", "+ by.count / 2 - 1)")
    localization = found(workshop.verify(DIGITS, M3))
    difference = localization.difference
    assert (difference.layer, localization.fault) == (6, Fault.KERNEL)
    assert abs(difference.device - difference.reference) == difference.max_abs_diff == 1
    assert localization.because == RIGHT_WITH_REFERENCE


def test_a_missed_channel_is_found_with_its_place_and_the_input_that_shows_it(workshop):
    workshop.plant("kernels/dsp/max_pool_2d.c", "channel + 4 <= area->channels", "channel + 4 < area->channels")
    workshop.plant("kernels/dsp/max_pool_2d.c", "channel < area->channels; channel++", "channel < 0; channel++")
    with kept_board(DIGITS, M4) as port:  # which goes on running what it was flashed with
        localization = found(workshop.verify(DIGITS, samples=DIGITS_SAMPLES, port=port))
        assert not workshop.verify(DIGITS, samples=DIGITS_SAMPLES, port=port, localize=False).ok
    difference = localization.difference
    assert (difference.layer, localization.fault) == (1, Fault.KERNEL)
    assert difference.index[-1] >= 12, "of 16 channels the last four are missed"
    wrong = np.argwhere(localization.device != localization.reference)
    assert set(wrong[:, -1]) <= {12, 13, 14, 15}
    assert difference.differing == len(wrong)
    (image,) = localization.inputs
    assert image.shape == (1, 8, 8, 1)


def test_the_command_shows_the_layer_and_writes_what_it_takes_to_look_into_it(workshop, tmp_path):
    workshop.plant("kernels/scalar/average_pool_2d.c", "+ by.count / 2)", "+ by.count / 2 - 1)")
    evidence, result = tmp_path / "evidence.npz", tmp_path / "result.json"
    command = ["verify", DIGITS, "--board", M3, "--lock", tmp_path / "lock", "--localize", "--evidence", evidence]
    finished = CliRunner().invoke(
        tinydeploy, [str(word) for word in [*command, "--json", result]], standalone_mode=False
    )
    assert finished.return_value == 1
    print(finished.output)
    told = json.loads(result.read_text(encoding="utf-8"))["verification"]
    wrong = told["localization"]
    assert told["first_difference"]["layer"] == wrong["layer"] == 6
    assert (wrong["op"], wrong["fault"], wrong["because"]) == ("AVERAGE_POOL_2D", "kernel", RIGHT_WITH_REFERENCE)
    lines = [line.strip() for line in finished.output.splitlines()]
    assert "the first wrong layer: op 6 AVERAGE_POOL_2D" in lines
    (tensor,) = (line for line in lines if line.startswith("tensor "))
    assert f"{wrong['index']}: board {wrong['device']:g} (" in tensor
    assert f"; scale {wrong['scale']:g}, zero point {wrong['zero_point']}" in tensor
    assert f"fault    the kernel's: {RIGHT_WITH_REFERENCE}" in lines
    assert f"evidence written to {evidence}" in lines
    assert finished.output.count("plan ...") == 1
    with np.load(evidence) as arrays:
        index = tuple(wrong["index"])
        assert (arrays["device"][index], arrays["reference"][index]) == (wrong["device"], wrong["reference"])
        assert np.count_nonzero(arrays["device"] != arrays["reference"]) == wrong["differing"]
        assert arrays["input0"].shape == (1, 8, 8, 1)


def test_a_kernel_that_writes_before_its_output_is_told_from_the_layer_that_suffers(workshop, tmp_path):
    """What the second layer writes is right, but for some bytes in front of it, which the addition reads."""
    end = "td_bound(&conv->output_stage, output, conv->output_height * conv->output_width * conv->output_channels);\n"
    before = "    for (int i = 1; conv->output_channels == 16 && i <= 32; i++) {\n        output[-i] ^= 0x55;\n    }\n"
    workshop.plant("kernels/scalar/conv_2d.c", end, end + before)
    localization = found(workshop.verify(residual_model(tmp_path), M3))
    assert (localization.difference.layer, localization.fault) == (3, Fault.KERNEL)
    assert localization.because == "its input t3 was right until op 1 CONV_2D, which wrote outside of its own memory"


def test_a_buffer_that_is_planned_over_one_still_needed_is_the_memory_plans_fault(workshop, tmp_path, monkeypatch):
    right = layout._lifetimes

    def shortened(*arguments):
        """What is read last by a call much later is given up after its first reader."""
        return {root: (first, min(last, first + 1)) for root, (first, last) in right(*arguments).items()}

    monkeypatch.setattr(layout, "_lifetimes", shortened)
    localization = found(workshop.verify(residual_model(tmp_path)))
    assert (localization.difference.layer, localization.fault) == (3, Fault.MEMORY_PLAN)
    assert localization.because == "its input t3 was right until op 1 CONV_2D, which is planned to write over it"


def test_an_output_that_lies_too_close_to_the_input_it_replaces_is_the_memory_plans_fault(workshop, monkeypatch):
    right = layout._taken_over

    def too_late(*arguments):
        return {target: (source, lag - 64) for target, (source, lag) in right(*arguments).items()}

    monkeypatch.setattr(layout, "_taken_over", too_late)
    localization = found(workshop.verify(DIGITS))
    assert localization.fault is Fault.MEMORY_PLAN
    assert localization.because == "it is right when every tensor has memory of its own"


def test_a_real_board_is_flashed_for_it_and_runs_its_own_firmware_again(workshop, tmp_path):
    add_upload(workshop.firmware)
    workshop.plant("kernels/scalar/average_pool_2d.c", "+ by.count / 2)", "+ by.count / 2 - 1)")
    with bare_board(tmp_path) as (board, port):
        target = Target(board=str(board), engine="aot")
        assert not pipeline.flash(DIGITS, target, port=str(port)).ok
        localization = found(pipeline.verify(DIGITS, target, port=str(port), localize=True))
        assert (localization.difference.layer, localization.fault) == (6, Fault.KERNEL)
        assert not pipeline.verify(DIGITS, target, port=str(port)).ok, "which asks for the board's own firmware"


def test_what_reference_kernels_compute_wrong_too_is_not_the_kernels_fault(workshop):
    """Both sets of kernels have this one."""
    workshop.plant("kernels/reference/softmax.c", "12 - zeros + 23", "12 - zeros + 22")
    localization = found(workshop.verify(DIGITS))
    assert (localization.difference.layer, localization.fault) == (9, Fault.MODEL)
    assert localization.because.endswith("its output is wrong with --kernels reference too")


def test_a_fault_that_is_not_there_between_the_layers_is_said_to_be_elsewhere(workshop):
    """The runner itself spoils what goes to the host."""
    end = "    *ticks = td_port_ticks() - began;\n"
    workshop.plant("src/td_runner.c", end, f"{end}    job->output->data[0] ^= 1;\n")
    localization = found(workshop.verify(DIGITS))
    assert (localization.difference, localization.fault) == (None, Fault.ELSEWHERE)


@pytest.mark.parametrize(
    ("source", "right", "wrong"),
    [
        pytest.param(
            *("arm_avgpool_s8.c", "(buffer[i] - half_count)", "(buffer[i] - half_count + 1)"), id="a wrong rounding"
        ),
        pytest.param(*("arm_max_pool_s8.c", "ref_max.bytes[3] = comp_max.bytes[3];", ";"), id="a missed channel"),
    ],
)
def test_a_fault_in_a_kernel_of_cmsis_nn_is_found_and_named(source, right, wrong, workshop, tflm_library):
    workshop.plant_in_library(next(tflm_library.rglob(source)), right, wrong)
    settings = EngineSettings(tflm_library=str(tflm_library))
    localization = found(workshop.verify(DIGITS, engine="tflm", settings=settings))
    assert localization.difference.layer == {"arm_avgpool_s8.c": 6, "arm_max_pool_s8.c": 1}[source]
    assert (localization.fault, localization.because) == (Fault.KERNEL, RIGHT_WITH_REFERENCE)


def test_a_kernel_of_cmsis_nn_that_writes_over_another_tensor_is_found(workshop, tflm_library, tmp_path):
    """Behind the third layer's output lies what the addition reads."""
    end = "    /* Return to application */\n"
    behind = "    if (rhs_cols == 16) {\n        output_data[512] = (int8_t)~output_data[512];\n    }\n"
    workshop.plant_in_library(next(tflm_library.rglob("arm_convolve_1x1_s8_fast.c")), end, behind)
    settings = EngineSettings(tflm_library=str(tflm_library))
    localization = found(workshop.verify(residual_model(tmp_path), engine="tflm", settings=settings))
    assert (localization.difference.layer, localization.fault) == (3, Fault.KERNEL)
    assert localization.because == "its input t3 was right until op 2 CONV_2D, which wrote outside of its own memory"


def test_cmsis_nns_lstm_that_loses_its_state_is_found_and_named(workshop, tflm_library, tmp_path):
    model = tmp_path / "lstm.tflite"
    model.write_bytes(lstm_model())
    settings = EngineSettings(tflm_library=str(tflm_library))
    localization = found(workshop.verify(model, engine="tflm", settings=settings))
    assert (localization.difference.layer, localization.fault) == (0, Fault.KERNEL)
    assert localization.because.endswith("it was right at the first 2 inferences: it does not keep its state")
