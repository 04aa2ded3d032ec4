"""Generated projects. tests/golden/ has some of them, as far as they are generated; FILES lists all that one has.

After an intended change: TINYDEPLOY_WRITE_GOLDEN=1 pytest tests/test_project.py, then look at git diff.
"""

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from golden_project import golden_project
from stub_project import COPY_MODEL, MODEL_C, stub_code, stub_project

from tinydeploy.boards import Board, find_board, load_boards
from tinydeploy.errors import UsageError
from tinydeploy.files import LISTING, data_dir, tree_digest, write_file
from tinydeploy.project import render_project, write_project

GOLDEN = Path(__file__).parent / "golden"
# One without a framework, one for Arduino with a library of PlatformIO's, one for ESP-IDF with a component.
KEPT = [("qemu-cortex-m4", "aot"), ("nano33ble", "tflm"), ("esp32s3-idf", "tflm")]
STALE = "if that is intended: TINYDEPLOY_WRITE_GOLDEN=1 pytest tests/test_project.py, then look at git diff"
CONFIG = PurePosixPath("include/td_config.h")
BUILD_ID = re.compile(rb"TD_BUILD_ID_INIT \{.*\}")
MODEL_DATA = (PurePosixPath("src/model_data.cc"), PurePosixPath("src/model_data.h"))

# Where in the project: of what it is a copy.
COPIED = (
    ("platforms/tinydeploy", ("firmware", "platform")),
    ("firmware", ("firmware",)),
    *((".", ("templates", kind)) for kind in ("project", "bare_metal", "arduino", "espidf")),
)


def origins(path: PurePosixPath) -> list[Path]:
    """The files that a file of a project may be a copy of; none for a generated one."""
    name = "gitignore" if path.name == ".gitignore" else path.name
    places = (
        data_dir(top).joinpath(*below, path.relative_to(place).with_name(name))
        for place, (top, *below) in COPIED
        if path.is_relative_to(place)
    )
    return [file for file in places if file.is_file()]


def golden_content(board: str, engine: str) -> dict[PurePosixPath, bytes]:
    """What is generated, without what changes with every byte of the firmware or of the model; and a list of all."""
    files = golden_project(board=board, engine=engine).files
    content = {path: data for path, data in files.items() if not origins(path) and path not in MODEL_DATA}
    content[CONFIG] = BUILD_ID.sub(b"TD_BUILD_ID_INIT {0}", content[CONFIG])
    content[PurePosixPath("FILES")] = "".join(f"{path}\n" for path in sorted(files)).encode()
    return content


@pytest.fixture
def no_settings(monkeypatch, tmp_path):
    """Boards are built with the libraries that their files name."""
    monkeypatch.delenv("TINYDEPLOY_TFLM_LIB", raising=False)
    monkeypatch.delenv("TINYDEPLOY_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(("board", "engine"), KEPT)
def test_a_generated_project_is_what_it_was(board, engine):
    content = golden_content(board, engine)
    golden = GOLDEN / f"{board}-{engine}"
    if os.environ.get("TINYDEPLOY_WRITE_GOLDEN"):
        shutil.rmtree(golden, ignore_errors=True)
        for path, data in content.items():
            write_file(golden / path, data)
    there = {PurePosixPath(p.relative_to(golden).as_posix()): p for p in golden.rglob("*") if p.is_file()}
    assert sorted(there) == sorted(content), STALE
    for path, data in content.items():
        assert there[path].read_text(encoding="utf-8") == data.decode(), f"{path} has changed; {STALE}"


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(("board", "engine"), KEPT)
def test_what_is_not_generated_is_copied_as_it_is(board, engine):
    files = golden_project(board=board, engine=engine).files
    copies = {path: [file.read_bytes() for file in origins(path)] for path in files}
    assert sum(map(bool, copies.values())) > 20
    assert {path for path, contents in copies.items() if contents and files[path] not in contents} == set()


@pytest.mark.parametrize("board", load_boards(), ids=lambda board: board.id)
def test_equal_inputs_give_equal_bytes(board: Board):
    assert stub_project(board).files == stub_project(board).files


def test_the_build_id_is_the_digest_of_all_else_but_the_models_name():
    project = stub_project(find_board("microbit"))
    zeros = b"TD_BUILD_ID_INIT {" + b", ".join([b"0x00"] * 8) + b"}"
    files = {path: data.replace(b"copy.tflite", b"model") for path, data in project.files.items()}
    files[CONFIG] = BUILD_ID.sub(zeros, files[CONFIG])
    del files[PurePosixPath("README.md")], files[PurePosixPath("src/app.c")]
    assert tree_digest(files)[:8] == project.build_id
    own = b", ".join(b"0x%02x" % byte for byte in project.build_id)
    assert b"TD_BUILD_ID_INIT {" + own + b"}" in project.files[CONFIG]


def test_a_model_that_was_renamed_is_the_same_firmware():
    first, second = golden_project(), golden_project(name="renamed.tflite")
    assert first.build_id == second.build_id
    assert first.files[CONFIG] != second.files[CONFIG]


def test_another_model_or_number_of_buffers_is_another_build_id():
    board = find_board("qemu-cortex-m3")
    facts = {"board": board, "model_name": "m", "model_sha256": "", "engine": "aot"}
    assert render_project(code=stub_code(), buffers=2, **facts).build_id == stub_project(board).build_id
    ids = {
        stub_project(board).build_id,
        stub_project(board, COPY_MODEL + b"\n").build_id,
        render_project(code=stub_code(), buffers=1, **facts).build_id,
    }
    assert len(ids) == 3


def test_nothing_in_a_project_says_where_or_when_it_was_made():
    checkout = str(Path(__file__).resolve().parent.parent).encode()
    for board in load_boards():
        for path, data in stub_project(board).files.items():
            assert not path.is_absolute()
            assert ".." not in path.parts
            assert checkout not in data, path
            assert str(Path.home()).encode() + b"/" not in data, path


def test_a_project_has_the_headers_that_its_kernels_include_and_no_others():
    files = stub_project(find_board("qemu-cortex-m4"), kernels=("reference/conv_2d.c",)).files
    kernels = {str(path) for path in files if path.is_relative_to("firmware/kernels")}
    assert {"firmware/kernels/reference/conv_2d.c", "firmware/kernels/td_conv_2d.h"} <= kernels
    assert "firmware/kernels/td_fully_connected.h" not in kernels
    bare = stub_project(find_board("qemu-cortex-m4")).files
    assert not any(path.is_relative_to("firmware/kernels") for path in bare)


def test_a_project_has_the_port_of_its_board_only():
    for board in load_boards():
        files = stub_project(board).files
        ports = {p for p in files if p.is_relative_to("firmware/ports") and p.suffix in (".c", ".cpp")}
        assert ports == {PurePosixPath("firmware/ports", source) for source in board.port.sources}


def test_a_port_of_ones_own_is_in_the_project_with_the_headers_beside_it(tmp_path):
    board = find_board("qemu-cortex-m4")
    (tmp_path / "uart.c").write_bytes(b"/* mine */")
    (tmp_path / "pins.h").write_bytes(b"/* mine too */")
    (tmp_path / "notes.txt").touch()
    port = replace(board.port, sources=(*board.port.sources, str(tmp_path / "uart.c")))
    files = stub_project(replace(board, port=port)).files
    own = {path.name: data for path, data in files.items() if path.is_relative_to("firmware/ports/own")}
    assert own == {"uart.c": b"/* mine */", "pins.h": b"/* mine too */"}
    assert PurePosixPath("firmware/ports/cmsdk/uart.c") in files


def test_a_project_says_how_to_verify_it_also_on_a_board_of_ones_own(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_bytes((data_dir("boards") / "microbit.toml").read_bytes())
    for name, board in (("mine.toml", find_board(str(mine))), ("microbit", find_board("microbit"))):
        readme = stub_project(board).files[PurePosixPath("README.md")]
        assert f"tinydeploy verify copy.tflite --board {name} --engine aot --buffers 2 --port PORT".encode() in readme


def test_the_name_of_a_model_cannot_break_out_of_a_comment():
    project = render_project(
        code=stub_code(),
        board=find_board("microbit"),
        buffers=1,
        model_name='*/ int x;\n[env] "$(rm)" ünï',
        model_sha256="",
        engine="aot",
    )
    for path, data in project.files.items():
        if path != MODEL_C and not path.is_relative_to("firmware"):
            assert b"int x;" not in data, path
            assert b"$(rm)" not in data, path
    assert b"; _int_x_env_rm_n_ on " in project.files[PurePosixPath("platformio.ini")]


def test_a_board_with_little_ram_gets_small_frames():
    assert b"TD_CHUNK_BYTES 128\n" in stub_project(find_board("microbit")).files[CONFIG]
    assert b"TD_CHUNK_BYTES 512\n" in stub_project(find_board("netduinoplus2")).files[CONFIG]


@pytest.mark.parametrize("board", [board for board in load_boards() if board.emulator], ids=lambda board: board.id)
def test_platformio_runs_the_emulator_with_a_timer_that_counts_instructions(board: Board):
    place = PurePosixPath(f"platforms/tinydeploy/boards/{board.id}.json")
    emulator = json.loads(stub_project(board).files[place])["build"]["emulator"]
    counting = ["-icount", f"shift={board.emulator.icount_shift}"]
    assert [emulator["program"], *emulator["args"]] == [*board.emulator.command, *counting]


@pytest.mark.parametrize(
    ("board", "main"), [("microbit", "src/main.c"), ("pico", "src/main.cpp"), ("esp32-idf", "src/main.c")]
)
def test_main_fits_on_one_screen(board, main):
    assert len(stub_project(find_board(board)).files[PurePosixPath(main)].splitlines()) <= 24


def test_a_project_is_written_again_into_its_own_folder(tmp_path):
    project = stub_project(find_board("microbit"))
    write_project(project, tmp_path / "new")
    (tmp_path / "new" / "notes.txt").write_text("mine", encoding="utf-8")
    write_project(project, tmp_path / "new")
    assert (tmp_path / "new" / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_project_for_another_board_and_model_leaves_nothing_of_the_one_before(tmp_path):
    second = stub_project(find_board("qemu-cortex-m4"))
    write_project(stub_project(find_board("microbit"), kernels=("reference/conv_2d.c",)), tmp_path)
    (tmp_path / "src" / "mine.c").write_text("/* mine */", encoding="utf-8")
    write_project(second, tmp_path)
    there = {PurePosixPath(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert there == {*second.files, LISTING, PurePosixPath("src/mine.c")}


def test_the_application_is_written_once_and_then_the_users_own(tmp_path):
    project = stub_project(find_board("microbit"))
    write_project(project, tmp_path)
    app = tmp_path / "src" / "app.c"
    assert app.read_bytes() == project.files[PurePosixPath("src/app.c")]
    app.write_text("/* mine */", encoding="utf-8")
    write_project(stub_project(find_board("qemu-cortex-m4")), tmp_path)
    assert app.read_text(encoding="utf-8") == "/* mine */"


def test_a_project_is_not_written_into_a_folder_with_other_things(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match="is not empty, and not a project that tinydeploy generated"):
        write_project(stub_project(find_board("microbit")), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_project_is_not_written_over_a_file(tmp_path):
    file = tmp_path / "thesis.tex"
    file.touch()
    with pytest.raises(UsageError) as caught:
        write_project(stub_project(find_board("microbit")), file)
    assert str(caught.value) == f"{file} is a file, not a folder\n  try  choose a new or empty folder: -o DIR"
    assert file.read_bytes() == b""
