"""What PlatformIO makes of the generated platformio.ini: asked itself, once for all boards and engines."""

import json
import os
import re
import subprocess
import sys
from pathlib import PurePosixPath

import pytest
from golden_project import golden_project

from tinydeploy.boards import Board, find_board, load_boards
from tinydeploy.project import write_project

LIBRARY = "somebody/tflm@1.2.3"
CASES = [(board.id, engine) for board in load_boards() for engine in ("aot", "tflm")]

# `pio project config` and `pio project config --lint`, without a Python of their own for each project.
PLATFORMIO = """
import sys
from platformio.project.commands.config import project_config_cmd
for folder in sys.argv[1:]:
    for lint in (["--lint"], []):
        project_config_cmd.main(["--project-dir", folder, "--json-output", *lint], standalone_mode=False)
"""


def names_a_library(board: Board) -> bool:
    return any((board.tflm.library, board.tflm.component, board.tflm.bundled))


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """By board and engine: what is wrong with the file, and its options."""
    root = tmp_path_factory.mktemp("projects")
    folders = []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TINYDEPLOY_TFLM_LIB", raising=False)
        patch.delenv("TINYDEPLOY_CONFIG", raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(root))
        for board, engine in CASES:
            library = None if engine == "aot" or names_a_library(find_board(board)) else LIBRARY
            folders.append(root / f"{board}-{engine}")
            write_project(golden_project(board=board, engine=engine, tflm_library=library), folders[-1])
        patch.setenv("PLATFORMIO_CORE_DIR", str(root / "core"))
        command = [sys.executable, "-c", PLATFORMIO, *folders]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    lines = iter(done.stdout.splitlines())
    return {case: (lint, options(json.loads(next(lines)))) for case, lint in zip(CASES, lines, strict=True)}


def options(sections: list[list[object]]) -> dict[str, object]:
    """Those of the only environment."""
    (environment,) = [dict(content) for name, content in sections if name.startswith("env:")]
    return environment


@pytest.mark.parametrize(("board", "engine"), CASES)
def test_platformio_knows_every_option_of_a_project(answers, board, engine):
    lint, _ = answers[board, engine]
    assert lint == "{'errors': [], 'warnings': []}"


@pytest.mark.parametrize(("board", "engine"), CASES)
def test_platformio_reads_what_the_board_file_says(answers, board, engine):
    facts, (_, said) = find_board(board), answers[board, engine]
    if facts.framework is None:
        assert (said["platform"], said["board"]) == ("tinydeploy", board)
        return
    framework = facts.framework
    assert (said["platform"], said["board"]) == (framework.platform, framework.board)
    assert said["framework"] == [framework.framework]
    assert said["monitor_speed"] == facts.line.baud
    assert set(framework.build_flags) <= set(said.get("build_flags", ()))
    for option in framework.options:
        name, _, value = option.partition("=")
        assert said[name.strip()] == value.strip()


@pytest.mark.parametrize("board", load_boards(), ids=lambda board: board.id)
def test_a_project_for_tflm_names_the_boards_library_or_the_users(answers, board):
    _, said = answers[board.id, "tflm"]
    wanted = [board.tflm.library] if board.tflm.library else [] if names_a_library(board) else [LIBRARY]
    assert said.get("lib_deps", []) == wanted
    assert "-DTF_LITE_STATIC_MEMORY" in said["build_flags"]
    _, without = answers[board.id, "aot"]
    assert "lib_deps" not in without


@pytest.mark.parametrize("board", [b for b in load_boards() if b.framework], ids=lambda board: board.id)
def test_every_folder_with_headers_is_searched_for_them(board):
    files = golden_project(board=board.id).files
    place = "src/CMakeLists.txt" if board.framework.framework == "espidf" else "platformio.ini"
    searched = re.findall(r'(?:-I|"\.\./)([\w/]+)"?$', files[PurePosixPath(place)].decode(), re.MULTILINE)
    assert {str(path.parent) for path in files if path.suffix == ".h"} <= set(searched)


@pytest.mark.parametrize("board", [b for b in load_boards() if b.framework], ids=lambda board: board.id)
def test_every_source_is_compiled_once(board):
    """By what PlatformIO calls a source filter for Arduino, and by name for ESP-IDF."""
    files = golden_project(board=board.id).files
    sources = sorted(str(path) for path in files if path.suffix in (".c", ".cc", ".cpp"))
    if board.framework.framework == "arduino":
        assert {source.partition("/")[0] for source in sources} == {"src", "firmware"}
        return
    listed = re.findall(r'^ +"(.+\.c+p?p?)"$', files[PurePosixPath("src/CMakeLists.txt")].decode(), re.MULTILINE)
    assert sorted(os.path.normpath(f"src/{source}") for source in listed) == sources


def test_platforms_are_pinned():
    for board in load_boards():
        if board.framework:
            assert any(sign in board.framework.platform for sign in ("@", "/releases/download/", ".git#")), board.id
