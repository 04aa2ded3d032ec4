"""The picture of a conversion's quality: drawn anywhere, the same each time, refused before work begins."""

import importlib.util
import math
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from tinydeploy.convert.quality import LayerQuality, OutputQuality, Quality
from tinydeploy.convert.quality_figures import Closeness, RangeUse
from tinydeploy.errors import BuildError, UsageError
from tinydeploy.report.quality_picture import require_picture, write_picture

USE = RangeUse(saturated=0.0, used=0.9, limit_db=44.0)


drawing = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not here: pip install 'tinydeploy[plot]'"
)


def quality(*figures, kind="CONV_2D") -> Quality:
    """A layer for each SQNR, alone as up to it."""
    layers = tuple(
        LayerQuality(
            op=op,
            kind=kind,
            name=f"t{op}",
            closeness=Closeness(sqnr_db=figure, cosine=0.999, max_abs_error=0.25),
            own_sqnr_db=figure,
            range_use=USE,
        )
        for op, figure in enumerate(figures)
    )
    output = OutputQuality(
        name="y", closeness=Closeness(sqnr_db=25.0, cosine=1.0, max_abs_error=0.0), weights_sqnr_db=30.0
    )
    return Quality(
        samples=4,
        layer_samples=4,
        oracle="an oracle",
        ops=len(layers),
        inputs=(),
        outputs=(output,),
        layers=layers,
        top1_agreement=None,
        correct=None,
    )


def png_size(data):
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


@drawing
@pytest.mark.parametrize("count", [0, 1, 3, 60, 300])
def test_every_layer_has_a_row_however_many_there_are(tmp_path, count):
    path = tmp_path / "quality.png"
    write_picture(quality(*(20.0 + op % 20 for op in range(count))), path)
    width, height = png_size(path.read_bytes())
    assert width == 1080
    assert height == pytest.approx(120 * (1.75 + 0.24 * max(count, 3)), abs=1)


@drawing
def test_the_worst_layers_are_marked_but_at_most_one_in_three(tmp_path):
    for count, marked in ((3, 1), (9, 3), (30, 5)):
        path = tmp_path / f"{count}.svg"
        write_picture(quality(*(20.0 + op for op in range(count))), path)
        # Only bars are clipped to the axes, not labels and the legend.
        bars = re.findall(r'clip-path="[^"]*" style="fill: (#\w+)"', path.read_text())
        assert (bars.count("#d9691e"), bars.count("#9db8d2")) == (marked, count - marked)


@drawing
def test_the_same_quality_gives_the_same_bytes_without_a_date(tmp_path):
    for suffix in ("svg", "png"):
        first, second = (tmp_path / f"{name}.{suffix}" for name in ("first", "second"))
        for path in (first, second):
            write_picture(quality(20.0, 30.0, math.inf), path)
        assert first.read_bytes() == second.read_bytes()
    assert "date" not in (tmp_path / "first.svg").read_text().lower()


@drawing
def test_infinite_and_negative_figures_are_drawn_at_the_ends(tmp_path):
    of = quality(math.inf, -math.inf, -7.0, 95.0)
    write_picture(of, tmp_path / "ends.png")
    exact = replace(of.outputs[0].closeness, sqnr_db=math.inf)
    write_picture(replace(of, outputs=(replace(of.outputs[0], closeness=exact),)), tmp_path / "exact.png")
    indices = OutputQuality(name="i", closeness=None, weights_sqnr_db=None)
    write_picture(replace(of, outputs=(indices,)), tmp_path / "indices.png")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 2, "no line where the output has no figure"


@drawing
def test_names_of_a_model_are_not_read_as_mathematics(tmp_path):
    write_picture(quality(20.0, kind="$\\frac{$"), tmp_path / "hostile.png")
    write_picture(quality(20.0, kind="X" * 60), tmp_path / "long.png")
    assert png_size((tmp_path / "long.png").read_bytes())[0] == 1080


@drawing
def test_a_machine_without_home_and_display_draws_without_a_word(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from test_quality_picture import quality, write_picture\n"
        "write_picture(quality(20.0, 30.0), Path(sys.argv[2]))\n"
    )
    gone = {"DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND", "MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in gone} | {"HOME": "/dev/null"}
    here = os.path.dirname(__file__)  # noqa: PTH120
    done = subprocess.run(
        [sys.executable, "-c", script, here, str(tmp_path / "quality.svg")],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "quality.svg").read_bytes().startswith(b"<?xml")


@drawing
def test_the_users_own_style_changes_nothing(tmp_path, monkeypatch):
    write_picture(quality(20.0), tmp_path / "plain.svg")
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "axes.facecolor", "black")
    write_picture(quality(20.0), tmp_path / "styled.svg")
    assert (tmp_path / "styled.svg").read_bytes() == (tmp_path / "plain.svg").read_bytes()
    assert mpl.rcParams["axes.facecolor"] == "black", "and it is as it was afterwards"


@pytest.mark.parametrize("name", ["quality.pdf", "quality", "quality.jpg"])
def test_other_kinds_of_pictures_are_refused(tmp_path, name):
    with pytest.raises(UsageError) as caught:
        require_picture(tmp_path / name)
    assert caught.value.summary == f"cannot draw {tmp_path / name}: a picture is .png or .svg"
    assert caught.value.hint == "name it quality.png or quality.svg"


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BuildError) as caught:
        write_picture(quality(20.0), tmp_path / "quality.png")
    assert caught.value.exit_code == 5
    assert caught.value.summary == "drawing needs matplotlib, which is not installed"
    assert caught.value.hint == "pip install 'tinydeploy[plot]'"


@drawing
def test_a_place_that_cannot_be_written_to_is_told_before_work_begins(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        require_picture(tmp_path / "file" / "quality.png")
    assert caught.value.summary == f"cannot write {tmp_path / 'file' / 'quality.png'}: not a directory"
