from pathlib import Path, PurePosixPath

import pytest
from tflm_tree import CLONE, CMSIS_NN_KERNELS, CORE, DOWNLOADS, MICRO, NOT_NEEDED, THIRD_PARTY, TREE, below, lay_out

from tinydeploy.engines.tflm.library_files import LibraryFiles, read_files
from tinydeploy.engines.tflm.library_folder import KernelSet, TflmFolder, read_folder
from tinydeploy.process import run


def files_of(folder: Path, kernels: KernelSet = "reference") -> LibraryFiles:
    found = read_folder(folder, "--tflm-lib")
    assert isinstance(found, TflmFolder)
    return read_files(found, kernels)


def places(files: LibraryFiles) -> set[str]:
    return {str(path) for path in files.files}


def test_reference_kernels_need_no_other_ones(tmp_path):
    assert places(files_of(lay_out(tmp_path, TREE))) == {*CORE, *below("third_party", THIRD_PARTY)}


def test_the_kernels_of_cmsis_nn_replace_those_of_the_same_name(tmp_path):
    files = files_of(lay_out(tmp_path, TREE), "cmsis_nn")
    expected = {*CORE, *CMSIS_NN_KERNELS, *below("third_party", THIRD_PARTY)} - {f"{MICRO}/kernels/conv.cc"}
    expected |= {
        "third_party/cmsis_nn/Include/arm_nnfunctions.h",
        "third_party/cmsis_nn/Include/arm_nn_types.h",
        "third_party/cmsis_nn/Source/ConvolutionFunctions/arm_convolve_s8.c",
    }
    assert places(files) == expected
    assert [str(path) for path in files.include_dirs] == [
        ".", "third_party/cmsis_nn", "third_party/cmsis_nn/Include", "third_party/flatbuffers/include",
        "third_party/gemmlowp", "third_party/ruy",
    ]  # fmt: skip


@pytest.mark.parametrize("kernels", ["reference", "cmsis_nn"])
def test_the_files_are_the_same_however_the_folder_is_laid_out(tmp_path, kernels):
    tree = files_of(lay_out(tmp_path / "tree", TREE), kernels)
    renamed = {place.replace(".cc", ".cpp"): text for place, text in TREE.items()}
    assert files_of(lay_out(tmp_path / "cpp" / "src", renamed), kernels) == tree
    assert files_of(lay_out(tmp_path / "clone", CLONE), kernels) == tree
    assert files_of(lay_out(tmp_path / "windows", TREE, newline="\r\n"), kernels) == tree
    assert files_of(lay_out(tmp_path / "more", TREE | NOT_NEEDED), kernels) == tree


def test_what_changes_the_size_of_an_arena_changes_the_fingerprint(tmp_path):
    before = files_of(lay_out(tmp_path, TREE))
    for place in CORE:
        changed = files_of(lay_out(tmp_path, {place: CORE[place] + "// changed\n"}))
        assert changed.sizes_digest != before.sizes_digest, place
        assert changed.identity_digest != before.identity_digest, place
        lay_out(tmp_path, {place: CORE[place]})
    assert files_of(tmp_path) == before


def test_what_cannot_change_the_size_of_an_arena_does_not(tmp_path):
    before = files_of(lay_out(tmp_path, TREE))
    lay_out(tmp_path, {"third_party/ruy/ruy/profiler/instrumentation.h": "// changed\n"})
    changed = files_of(tmp_path)
    assert changed.sizes_digest == before.sizes_digest
    assert changed.identity_digest != before.identity_digest


def test_cmsis_nn_has_a_fingerprint_of_its_own(tmp_path):
    before = files_of(lay_out(tmp_path, TREE), "cmsis_nn")
    lay_out(tmp_path, {"third_party/cmsis_nn/Source/ConvolutionFunctions/arm_convolve_s8.c": "// changed\n"})
    changed = files_of(tmp_path, "cmsis_nn")
    assert changed.sizes_digest == before.sizes_digest
    assert changed.cmsis_nn_digest != before.cmsis_nn_digest
    assert files_of(tmp_path, "reference").cmsis_nn_digest is None


def test_a_source_that_is_included_is_there_but_not_compiled(tmp_path):
    lay_out(
        tmp_path,
        TREE
        | {
            "signal/src/kiss_fft_wrappers/kiss_fft_int16.cc": '#include "kiss_fft.h"\n#include "kiss_fft.c"\n',
            "third_party/kissfft/kiss_fft.h": "",
            "third_party/kissfft/kiss_fft.c": "",
        },
    )
    assert files_of(tmp_path).not_compiled == (PurePosixPath("third_party/kissfft/kiss_fft.c"),)


def test_the_interface_is_what_the_headers_declare(tmp_path):
    interface = files_of(lay_out(tmp_path, TREE)).interface
    assert interface.add_methods == {"AddConv2D", "AddAbs"}
    assert interface.registrations == {"Register_CONV_2D", "Register_CONV_2D_INT8"}


def test_the_users_folder_is_not_touched(tmp_path):
    lay_out(tmp_path, CLONE)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    files_of(tmp_path, "cmsis_nn")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert (tmp_path / DOWNLOADS).is_dir()


def test_nothing_of_real_sources_is_a_test_or_defines_what_the_port_does(tflm_library):
    names = {path.name for path in files_of(tflm_library).files}
    assert {"micro_interpreter.cc", "micro_mutable_op_resolver.h", "conv.cc", "system_setup.cc"} <= names
    assert not names & {"debug_log.cc", "micro_time.cc", "test_helpers.cc", "fake_micro_context.cc", "kernel_runner.cc"}


def test_real_sources_find_all_their_headers_in_the_copy(tflm_library, tmp_path):
    files = files_of(tflm_library, "cmsis_nn")
    for path, content in files.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    sources = [f"{MICRO}/micro_interpreter.cc", f"{MICRO}/kernels/cmsis_nn/svdf.cc"]
    sources.append("third_party/cmsis_nn/Source/SVDFunctions/arm_svdf_s8.c")
    flags = ["-M", "-mcpu=cortex-m4", "-DTF_LITE_STATIC_MEMORY", "-DCMSIS_NN"]
    include_dirs = [f"-I{path}" for path in files.include_dirs]
    command = ["arm-none-eabi-g++", *flags, *include_dirs, *sources]
    finished = run(command, package="gcc-arm-none-eabi", timeout_s=120, cwd=tmp_path)
    assert finished.exit_code == 0, finished.stderr.decode()
