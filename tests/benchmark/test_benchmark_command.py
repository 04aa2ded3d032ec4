"""``python -m tinydeploy.benchmark``, as its users have it."""

import importlib.util
import os
import subprocess
import sys

import pytest
from benchmark_results import M4, results, run_of
from deployments import write_model

from tinydeploy.benchmark.store import read_results, write_results

drawing = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not here: pip install 'tinydeploy[plot]'"
)


def benchmark(*arguments, **env):
    # Neither the user's variables nor the user's config file name a library.
    known = {name: value for name, value in os.environ.items() if name != "TINYDEPLOY_TFLM_LIB"}
    return subprocess.run(
        [sys.executable, "-m", "tinydeploy.benchmark", *map(str, arguments)],
        env={**known, "XDG_CONFIG_HOME": os.devnull, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@drawing
def test_a_model_is_run_kept_and_shown(tmp_path):
    model = write_model(tmp_path, "small_int8.tflite")
    readme = tmp_path / "README.md"
    readme.write_text("# Mine\n<!-- benchmark: make bench -->\n<!-- /benchmark -->\n")
    done = benchmark(model, "--board", M4, "--output", tmp_path, TINYDEPLOY_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    kept = read_results(tmp_path / "docs" / "benchmark.json")
    assert [(run.model, run.board, run.engine) for run in kept.runs] == [
        ("small", M4, "aot"),
        ("small", M4, "aot-reference"),
    ]
    assert all(run.cost and run.cost.instructions > 100 for run in kept.runs)
    assert done.stdout.splitlines() == [
        str(tmp_path / "docs" / "benchmark.md"),
        str(tmp_path / "docs" / f"benchmark-{M4}.svg"),
        str(readme),
    ]
    assert f"{kept.runs[0].cost.instructions:,}" in readme.read_text()
    assert "small on qemu-cortex-m4 with aot: " in done.stderr


@drawing
def test_tables_and_pictures_are_drawn_again_without_running_anything(tmp_path):
    write_results(results(run_of()), tmp_path / "docs" / "benchmark.json")
    done = benchmark("--draw", "--output", tmp_path, PATH="")
    assert done.returncode == 0, done.stderr
    assert "| two | aot | 1,250 |" in (tmp_path / "docs" / "benchmark.md").read_text()
    assert (tmp_path / "docs" / f"benchmark-{M4}.svg").is_file()
    assert not (tmp_path / "README.md").exists()


@drawing
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--engine", "tflm-cmsis-nn"], 2, "tflm-cmsis-nn needs TensorFlow Lite Micro, and none is named"),
        (["--board", "esp32"], 2, "no virtual board: esp32"),
        (["--board", "nowhere"], 2, "unknown board 'nowhere'"),
        (["nothing.tflite"], 2, "nothing.tflite"),
    ],
)
def test_what_cannot_be_run_is_told_and_nothing_is_written(tmp_path, arguments, code, message):
    done = benchmark(*arguments, "--output", tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
