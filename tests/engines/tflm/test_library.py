import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from pace import best_within, seconds
from tflm_tree import CORE, MICRO, TREE, below, lay_out

from tinydeploy.boards import Board, Tflm, find_board
from tinydeploy.engines.interface import EngineSettings, Kernels
from tinydeploy.engines.tflm import library_files
from tinydeploy.engines.tflm.library import NoLibraryError, TflmLibrary, resolve_library
from tinydeploy.errors import BuildError, TinydeployError, UsageError


@pytest.fixture(autouse=True)
def nothing_named(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("TINYDEPLOY_TFLM_LIB", raising=False)
    monkeypatch.delenv("TINYDEPLOY_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


@pytest.fixture
def tree(tmp_path) -> Path:
    return lay_out(tmp_path / "tree", TREE)


def board(**tflm: str) -> Board:
    return replace(find_board("qemu-cortex-m4"), tflm=Tflm(**tflm))


ARM_BOARD = board(kernels="cmsis_nn")


def resolved(
    library: Path | str | None = None, kernels: Kernels | None = None, *, on: Board = ARM_BOARD
) -> TflmLibrary:
    return resolve_library(on, EngineSettings(tflm_library=str(library) if library else None, kernels=kernels))


def failure(kind: type[TinydeployError], *arguments, **keywords) -> TinydeployError:
    with pytest.raises(kind) as raised:
        resolved(*arguments, **keywords)
    return raised.value


def test_the_option_goes_before_the_variable_before_the_config_file_before_the_board(tree, tmp_path, monkeypatch):
    on = board(library="owner/of-the-board@1.0.0")
    config = tmp_path / "config.toml"
    assert resolved(on=on).name == "owner/of-the-board@1.0.0"
    assert resolved(on=on).origin == "the file of the board qemu-cortex-m4"

    config.write_text('[tflm]\nlibrary = "owner/of-the-file@1.0.0"\n', encoding="utf-8")
    monkeypatch.setenv("TINYDEPLOY_CONFIG", str(config))
    assert resolved(on=on).name == "owner/of-the-file@1.0.0"
    assert resolved(on=on).origin == str(config)

    monkeypatch.setenv("TINYDEPLOY_TFLM_LIB", "")
    assert resolved(on=on).name == "owner/of-the-file@1.0.0"
    monkeypatch.setenv("TINYDEPLOY_TFLM_LIB", "owner/of-the-variable@1.0.0")
    assert resolved(on=on).name == "owner/of-the-variable@1.0.0"
    assert resolved(on=on).origin == "TINYDEPLOY_TFLM_LIB"

    assert resolved(tree, on=on).origin == "--tflm-lib"


@pytest.mark.usefixtures("tree")
def test_a_folder_in_the_config_file_is_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "settings" / "tinydeploy").mkdir(parents=True)
    config = tmp_path / "settings" / "tinydeploy" / "config.toml"
    config.write_text('[tflm]\nlibrary = "../../tree"\n', encoding="utf-8")
    monkeypatch.chdir("/")
    assert resolved().add_methods == {"AddConv2D", "AddAbs"}
    monkeypatch.chdir(tmp_path)
    assert resolved("tree").project == resolved().project


@pytest.mark.realtime
def test_without_any_library_the_error_comes_at_once():
    assert best_within(0.5, lambda _: seconds(lambda: failure(NoLibraryError))) < 0.5


def test_without_any_library_the_error_names_all_ways_to_one(tmp_path):
    error = failure(NoLibraryError)
    assert error.exit_code == 5
    assert error.summary == "there is no TensorFlow Lite Micro library for qemu-cortex-m4"
    assert error.where["looked for"] == (f"--tflm-lib, TINYDEPLOY_TFLM_LIB, {tmp_path}/settings/tinydeploy/config.toml")
    for way in (
        "--tflm-lib SPEC, TINYDEPLOY_TFLM_LIB=SPEC",
        '[tflm] library = "SPEC"',
        "create_tflm_tree.py FOLDER",
        "OPTIMIZED_KERNEL_DIR=cmsis_nn",
        "--engine aot",
    ):
        assert way in error.hint


def test_without_a_choice_the_kernels_are_the_boards_where_the_folder_has_them(tree):
    assert resolved(tree).kernel_set == "cmsis_nn"
    assert resolved(tree).kernels == "optimized"
    assert resolved(tree, "reference").kernel_set == "reference"
    assert resolved(tree, on=board()).kernel_set == "reference"
    assert resolved(tree, on=board()).kernels == "reference"
    (tree / MICRO / "kernels/cmsis_nn/conv.cc").unlink()
    assert resolved(tree).kernel_set == "reference"
    assert resolved(tree).kernels == "reference"


def test_kernels_that_the_folder_does_not_have_are_refused_with_those_that_it_has(tree):
    (tree / MICRO / "kernels/conv.cc").unlink()
    error = failure(UsageError, tree, "reference")
    assert error.exit_code == 2
    assert error.summary == "the TensorFlow Lite Micro library has no reference kernels"
    assert error.where == {"library": str(tree), "named by": "--tflm-lib", "it has": "cmsis_nn kernels"}
    assert error.hint == "--kernels optimized, or another library"

    lay_out(tree, {f"{MICRO}/kernels/conv.cc": CORE[f"{MICRO}/kernels/conv.cc"]})
    (tree / MICRO / "kernels/cmsis_nn/conv.cc").unlink()
    error = failure(UsageError, tree, "optimized")
    assert error.summary == "the TensorFlow Lite Micro library has no cmsis_nn kernels"
    assert error.hint == "--kernels reference, or another library"
    error = failure(UsageError, tree, "optimized", on=board(kernels="esp_nn"))
    assert error.summary == "the TensorFlow Lite Micro library has no esp_nn kernels"


def test_a_board_without_optimized_kernels_says_so(tree):
    for library in (tree, "owner/name@1.0.0"):
        error = failure(UsageError, library, "optimized", on=board())
        assert error.summary == "there are no optimized kernels for qemu-cortex-m4"
        assert error.hint == "--kernels reference"


def test_what_is_copied_is_a_library_of_its_own_with_a_manifest(tree):
    project = resolved(tree).project
    manifest = json.loads(project.files[PurePosixPath("tflm/library.json")])
    assert manifest["name"] == "tflm"
    assert {"-O3", "-DTF_LITE_STATIC_MEMORY", "-DCMSIS_NN", "-Ithird_party/gemmlowp"} <= set(manifest["build"]["flags"])
    assert PurePosixPath("tflm", MICRO, "kernels/cmsis_nn/conv.cc") in project.files
    assert project.lib_deps == ("tflm",)
    assert project.components == {}
    assert {"-DTF_LITE_STATIC_MEMORY", "-DCMSIS_NN", "-isystem lib/tflm"} <= set(project.build_flags)

    project = resolved(tree, "reference").project
    manifest = json.loads(project.files[PurePosixPath("tflm/library.json")])
    assert "-O2" in manifest["build"]["flags"]
    assert "-DCMSIS_NN" not in (*manifest["build"]["flags"], *project.build_flags)


def test_the_identity_is_of_content_and_kernels_and_not_of_the_place(tree, tmp_path):
    here = resolved(tree)
    assert resolved(lay_out(tmp_path / "elsewhere", TREE)) == here
    assert here.project.identity.startswith("cmsis_nn-")
    assert resolved(tree, "reference").project.identity.startswith("reference-")
    assert str(tmp_path) not in here.name
    (tree / MICRO / "kernels/abs.cc").write_text("// another\n", encoding="ascii")
    assert resolved(tree).project.identity != here.project.identity


def test_unknown_sources_have_no_version(tree):
    library = resolved(tree)
    assert library.version is None
    assert library.name == f"tflite-micro of unknown version {library.project.identity[9:]} (cmsis_nn kernels)"


def test_a_library_of_the_registry_is_for_platformio_to_fetch():
    library = resolved("owner/name@1.2.3")
    assert library.project.lib_deps == ("owner/name@1.2.3",)
    assert library.project.files == {}
    assert "-DTF_LITE_STATIC_MEMORY" in library.project.build_flags
    assert library.add_methods is None
    assert library.version is None


def test_the_boards_own_library_has_the_version_of_the_boards_file():
    facts = {"version": "2.4.0", "kernels": "cmsis_nn"}
    library = resolved(on=board(library="owner/name@1.2.3", **facts))
    assert library.project.lib_deps == ("owner/name@1.2.3",)
    assert (library.version, library.kernels, library.kernel_set) == ("2.4.0", "optimized", "cmsis_nn")
    named = resolved("owner/name@1.2.3", on=board(library="owner/name@1.2.3", **facts))
    assert named.version == "2.4.0"
    assert named.project.identity == library.project.identity

    component = resolved(on=board(component="espressif/esp-tflite-micro==1.3.4", version="1.3.4", kernels="esp_nn"))
    assert component.project.components == {"espressif/esp-tflite-micro": "1.3.4"}
    assert component.project.lib_deps == ()
    bundled = resolved(on=board(bundled="esp-tflite-micro 1.3.7", version="1.3.7", kernels="esp_nn"))
    assert bundled.name == "esp-tflite-micro 1.3.7"
    assert (bundled.project.lib_deps, bundled.project.files) == ((), {})


def test_the_kernels_of_a_library_that_is_not_here_cannot_be_chosen():
    error = failure(UsageError, None, "reference", on=board(library="owner/name@1.2.3", kernels="cmsis_nn"))
    assert error.exit_code == 2
    assert error.summary == "the kernels of owner/name@1.2.3 cannot be chosen"
    assert error.where == {"board": "qemu-cortex-m4: cmsis_nn kernels"}
    assert error.hint.startswith("leave out --kernels, or name a folder with TFLM's sources: --tflm-lib FOLDER\n")


def test_a_board_file_cannot_bring_lines_into_the_projects_files():
    error = failure(UsageError, on=board(library="owner/name@1.0.0\nextra_scripts = evil.py"))
    assert error.summary == "this names no TensorFlow Lite Micro library"
    error = failure(UsageError, on=board(component="owner/name==1.0.0\nother: '*'"))
    assert error.summary == "the TensorFlow Lite Micro library of a board is no component with its exact version"


def test_a_board_file_names_no_folder():
    error = failure(UsageError, on=board(library="./tflm"))
    assert error.summary == "the TensorFlow Lite Micro library of a board is a folder"
    assert error.where == {"library": "./tflm", "named by": "the file of the board qemu-cortex-m4"}
    assert error.hint.endswith("a folder is for --tflm-lib")


def test_a_library_that_only_its_author_can_build_is_copied_as_it_is(tmp_path):
    manifest = "name=Tiny ML\nversion=1.0.0\n"
    others = {"library.properties": manifest, "examples/a/a.ino": "", ".git/config": "", "src/peripherals.h": ""}
    folder = lay_out(tmp_path / "arduino", below("src", CORE) | others)
    library = resolved(folder)
    assert library.name == "Tiny ML, unknown version"
    assert library.project.lib_deps == ("Tiny ML",)
    places = {str(path) for path in library.project.files}
    assert {"tflm/library.properties", "tflm/src/peripherals.h", f"tflm/src/{MICRO}/micro_interpreter.cc"} <= places
    assert not any("examples" in place or ".git" in place for place in places)
    error = failure(UsageError, folder, "reference")
    assert error.summary == "the kernels of Tiny ML cannot be chosen"
    assert "flatbuffers/flatbuffers.h" in error.where["reason"]


@pytest.mark.parametrize("manifest", ["version=1.0.0", "name=a; b", "name=${sysenv.HOME}", "name="])
def test_a_library_without_a_usable_name_is_refused(tmp_path, manifest):
    error = failure(BuildError, lay_out(tmp_path, below("src", CORE) | {"library.properties": manifest}))
    assert error.exit_code == 5
    assert error.summary == "the TensorFlow Lite Micro library's manifest has no usable name"


def test_upstreams_sources_are_recognised(tflm_library):
    reference, optimised = resolved(tflm_library, "reference"), resolved(tflm_library, "optimized")
    assert reference.name == "tflite-micro 90b983c2b (reference kernels)"
    assert optimised.name == "tflite-micro 90b983c2b (cmsis_nn kernels)"
    assert reference.version == optimised.version == "90b983c2b"
    assert reference.add_methods is not None
    assert {"AddConv2D", "AddUnidirectionalSequenceLSTM"} <= reference.add_methods
    assert optimised.registrations is not None
    assert "Register_CONV_2D_INT8" in optimised.registrations


@pytest.mark.realtime
def test_upstreams_sources_are_recognised_quickly(tflm_library):
    def attempt(_number: int) -> float:
        library_files._read.cache_clear()
        return seconds(lambda: resolved(tflm_library))

    assert best_within(0.3, attempt) < 0.3
    assert best_within(0.2, lambda _: seconds(lambda: resolved(tflm_library))) < 0.2
