"""A product's own inputs (firmware/include/td_app.h) and the host that takes over from them."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from host_firmware import HOST_PARTS, Process, Steps, compile_firmware, expected_output, random_inputs

from tinydeploy.link.session import Session

APP_INPUTS = 3

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def with_app(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles the firmware with one of the applications in tests/firmware/."""

    def compiled(app: str, port: str, **macros: int) -> Path:
        program = tmp_path_factory.mktemp("app") / "firmware"
        return compile_firmware(program, port, app=HOST_PARTS / f"{app}.c", **macros)

    return compiled


def test_the_applications_inputs_are_computed_while_there_is_no_host_and_what_it_drops_is_counted(with_app: Build):
    line = Steps(with_app("counting_app", "port_steps", TEST_APP_INPUTS=APP_INPUTS))
    line.step(b"")
    line.step(b"")
    with Session.open(line) as session:
        stats = session.stats()
        assert stats.inferences == APP_INPUTS
        assert stats.overruns >= 2
        inputs = random_inputs(4)
        outputs = [result.output for result in session.run(inputs)]
        assert outputs == [expected_output(data, APP_INPUTS + 1 + i) for i, data in enumerate(inputs)]
        assert session.stats().overruns == stats.overruns


def test_an_application_is_told_that_the_model_did_not_start_and_is_asked_for_no_input(with_app: Build):
    line = Steps(with_app("counting_app", "port_steps", TEST_INIT_STATUS=-6))
    with Session.open(line) as session:
        assert session.hello.model_status == -6
        assert session.stats().inferences == 0


@pytest.mark.parametrize("buffers", [1, 2])
def test_a_host_takes_over_while_an_interrupt_fills_a_buffer_and_no_input_of_it_is_damaged(
    with_app: Build, buffers: int
):
    line = Process(with_app("interrupt_app", "port_threads", TD_BUFFERS=buffers, TEST_COMPUTE_US=2000))
    time.sleep(0.1)  # in the middle of something
    with Session.open(line) as session:
        inputs = random_inputs(20)
        results = list(session.run(inputs))
        assert {result.status for result in results} == {0}
        outputs = [result.output[:-4] for result in results]
        assert outputs == [expected_output(data, 0)[:-4] for data in inputs]
        assert session.stats().overruns > 0  # it went on, but without a buffer
