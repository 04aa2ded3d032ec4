"""What a deployment comes to in a benchmark, and which runs there are."""

from dataclasses import replace

import pytest
from deployments import deployment_of, plan_of, tflm_plan, write_model

from tinydeploy import pipeline
from tinydeploy.bench import Latency
from tinydeploy.benchmark.command import usual_models
from tinydeploy.benchmark.measure import Tools, bench_model, cost_of, executed_macs, measured, usual_boards
from tinydeploy.errors import BuildError, FitError, LinkError, ModelError, UsageError

TOOLS = Tools(compiler="GCC 12.2.1", emulator="QEMU 7.2.22")
M4 = "qemu-cortex-m4"


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path, "small_int8.tflite")


@pytest.fixture
def flashed(monkeypatch):
    """Every deployment becomes what the test says; these were asked for."""
    asked = []

    def answer_with(answer):
        def flash(path, target):
            asked.append(target)
            outcome = answer(path, target)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(pipeline, "flash", flash)
        return asked

    return answer_with


def runs_of(model, *variants, library=None, lines=None):
    on_line = [].append if lines is None else lines.append
    found = measured([model], [M4], variants or ("aot",), tflm_library=library, tools=TOOLS, on_line=on_line)
    return [run for _, run in found]


def test_a_verified_deployment_has_figures_and_says_with_what(model, flashed):
    flashed(lambda path, target: deployment_of(path, plan_of(path, target.board)))
    lines = []
    (run,) = runs_of(model, lines=lines)
    assert run.cost.instructions == 1_000
    assert run.cost.layers == (900,)
    assert run.cost.stack_bytes == 412
    assert run.cost.flash_bytes == 14_056
    assert (run.origin.compiler, run.origin.emulator) == ("GCC 12.2.1", "QEMU 7.2.22")
    assert run.oracle.startswith("TensorFlow Lite Micro")
    assert lines[0].startswith(f"small on {M4} with aot: 1,000 instructions, ")


def test_ram_counts_the_arena_that_is_reserved_and_the_engines_variables(model):
    plan = tflm_plan(model, state_bytes=100)
    assert cost_of(deployment_of(model, plan)).ram_bytes == 22_832 + 100 + 412


def test_outputs_that_are_not_bit_identical_count_for_nothing_even_within_a_tolerance(model, flashed):
    def wrong(path, target):
        right = deployment_of(path, plan_of(path, target.board))
        return replace(right, comparison=replace(right.comparison, tolerance=1, differing_values=1))

    flashed(wrong)
    (run,) = runs_of(model)
    assert (run.cost, run.problem) == (None, "outputs differ")


def test_what_does_not_fit_with_two_buffers_is_tried_with_one(model, flashed):
    asked = flashed(
        lambda path, target: FitError("too large") if target.buffers == 2 else deployment_of(path, plan_of(path))
    )
    (run,) = runs_of(model)
    assert run.cost is not None
    assert [target.buffers for target in asked] == [2, 1]


@pytest.mark.parametrize(
    ("error", "problem"),
    [(FitError("too large"), "does not fit"), (ModelError("op 3 is not supported"), "op 3 is not supported")],
)
def test_a_model_that_an_engine_cannot_run_is_a_run_without_figures(model, flashed, error, problem):
    flashed(lambda _path, _target: error)
    (run,) = runs_of(model)
    assert (run.cost, run.problem) == (None, problem)


def test_an_inference_longer_than_the_timer_has_no_figures(model, flashed):
    latency = Latency(per_inference=None, unit="instructions", layers=(1,))
    flashed(lambda path, target: deployment_of(path, plan_of(path, target.board), latency=latency))
    (run,) = runs_of(model)
    assert (run.cost, run.problem) == (None, "longer than the board's timer")


def test_a_tool_that_is_missing_ends_it_and_what_was_run_is_there(model, flashed):
    plan = plan_of(model)
    flashed(lambda path, target: BuildError("no compiler") if target.engine == "tflm" else deployment_of(path, plan))
    found = measured([model], [M4], ("aot", "tflm-cmsis-nn"), tflm_library="x", tools=TOOLS, on_line=[].append)
    assert next(found)[1].cost is not None
    with pytest.raises(BuildError):
        next(found)


def test_a_link_that_broke_is_tried_again_twice(model, flashed):
    broken = [LinkError("slow"), LinkError("slow")]
    asked = flashed(lambda path, _target: broken.pop() if broken else deployment_of(path, plan_of(path)))
    assert runs_of(model)[0].cost is not None
    assert len(asked) == 3


def test_a_link_that_breaks_each_time_is_told_when_all_others_have_run(model, flashed):
    plan, lines = plan_of(model), []
    flashed(lambda path, target: LinkError("too slow") if target.engine == "tflm" else deployment_of(path, plan))
    variants = ("tflm-cmsis-nn", "aot")
    found = measured([model], [M4], variants, tflm_library="x", tools=TOOLS, on_line=lines.append)
    assert next(found)[1].engine == "aot"
    with pytest.raises(LinkError, match="too slow"):
        next(found)
    assert lines[0] == "small on qemu-cortex-m4 with tflm-cmsis-nn: too slow"


def test_each_variant_is_an_engine_with_its_settings_and_the_library_is_for_tflm_alone(model, flashed):
    asked = flashed(lambda path, target: deployment_of(path, plan_of(path, target.board)))
    runs_of(model, "aot", "aot-speed", "aot-reference", "tflm-cmsis-nn", "tflm-reference", library="lib")
    assert [
        (target.engine, target.settings.kernels, target.settings.optimize, target.settings.tflm_library)
        for target in asked
    ] == [
        ("aot", None, None, None),
        ("aot", None, "speed", None),
        ("aot", "reference", None, None),
        ("tflm", "optimized", None, "lib"),
        ("tflm", "reference", None, "lib"),
    ]


def test_a_model_is_called_by_its_file_and_its_layers_by_their_ops(model):
    found = bench_model(model)
    assert found.name == "small"
    assert [(layer.label, layer.macs) for layer in found.layers] == [("FULLY_CONNECTED", 12)]
    assert found.macs == 12


@pytest.mark.parametrize("name", ["hello_world", "ad01", "kws", "resnet8", "vww", "micro_speech"])
def test_the_macs_of_all_layers_are_those_that_the_plan_says_are_executed(name, model_file):
    (plan,) = pipeline.inspect(model_file(f"{name}_int8.tflite"), [M4])
    executed = executed_macs(plan)
    assert sum(executed) == plan.engine.macs
    assert len(executed) == len(plan.graph.ops)


def test_there_is_a_board_for_each_core_the_smallest_first():
    assert [board.id for board in usual_boards()] == [
        "microbit",
        "qemu-cortex-m3",
        "qemu-cortex-m4",
        "qemu-cortex-m7",
        "qemu-cortex-m55",
    ]


def test_the_usual_models_are_the_example_and_the_int8_ones_of_the_folder(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    models = tmp_path / "models"
    for path in (
        checkout / "examples" / "digits" / "digits_int8.tflite",
        models / "a_int8.tflite",
        models / "a_float.tflite",
        tmp_path / "shared" / "models" / "b_int8.tflite",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.delenv("TINYDEPLOY_TEST_MODELS", raising=False)
    assert [path.name for path in usual_models(checkout)] == ["digits_int8.tflite", "b_int8.tflite"]
    monkeypatch.setenv("TINYDEPLOY_TEST_MODELS", str(models))
    assert [path.name for path in usual_models(checkout)] == ["digits_int8.tflite", "a_int8.tflite"]
    monkeypatch.setenv("TINYDEPLOY_TEST_MODELS", str(checkout))
    with pytest.raises(UsageError) as caught:
        usual_models(models)
    assert caught.value.summary == "there are no models to benchmark"
