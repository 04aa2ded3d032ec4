from pathlib import Path

import pytest
from tflm_tree import CLONE, CORE, MICRO, THIRD_PARTY, TREE, below, lay_out

from tinydeploy.engines.tflm.library_folder import OpaqueFolder, TflmFolder, read_folder
from tinydeploy.errors import BuildError


def found(folder: Path) -> TflmFolder:
    result = read_folder(folder, "--tflm-lib")
    assert isinstance(result, TflmFolder)
    return result


def refused(folder: Path) -> BuildError:
    with pytest.raises(BuildError) as failure:
        read_folder(folder, "--tflm-lib")
    assert failure.value.exit_code == 5
    assert failure.value.where["library"] == str(folder)
    assert failure.value.where["named by"] == "--tflm-lib"
    assert "create_tflm_tree.py FOLDER" in failure.value.hint
    return failure.value


def test_a_tree_made_by_create_tflm_tree_is_found_wherever_it_begins(tmp_path):
    for place in (".", "src", "tflite-micro"):
        folder = tmp_path / place.strip(".") / "library"
        root = lay_out(folder / place, TREE)
        assert found(folder).root == root
        assert found(folder).kernels == ("reference", "cmsis_nn")


def test_a_clone_has_its_third_party_code_among_the_downloads(tmp_path):
    folder = found(lay_out(tmp_path, CLONE))
    downloads = tmp_path / MICRO / "tools/make/downloads"
    assert folder.third_party == {
        "flatbuffers": downloads / "flatbuffers" / "include",
        "gemmlowp": downloads / "gemmlowp",
        "ruy": downloads / "ruy",
        "cmsis_nn": downloads / "cmsis_nn",
    }
    assert folder.kernels == ("reference", "cmsis_nn")


def test_third_party_code_may_lie_in_folders_of_other_names(tmp_path):
    files = {place.replace("gemmlowp/", "gemmlowp-master/", 1): text for place, text in THIRD_PARTY.items()}
    folder = found(lay_out(tmp_path, CORE | below("third_party", files)))
    assert folder.third_party["gemmlowp"] == tmp_path / "third_party" / "gemmlowp-master"


def test_kernels_are_there_only_with_the_code_that_they_call(tmp_path):
    without = {place: text for place, text in TREE.items() if "third_party/cmsis_nn" not in place}
    assert found(lay_out(tmp_path / "a", without)).kernels == ("reference",)
    optimised_only = {place: text for place, text in TREE.items() if place != f"{MICRO}/kernels/conv.cc"}
    assert found(lay_out(tmp_path / "b", optimised_only)).kernels == ("cmsis_nn",)


def test_sources_may_end_in_cpp(tmp_path):
    files = {place.replace(".cc", ".cpp"): text for place, text in TREE.items()}
    assert found(lay_out(tmp_path, files)).kernels == ("reference", "cmsis_nn")


def test_a_folder_that_is_not_there_or_is_a_file_is_refused(tmp_path):
    assert refused(tmp_path / "tflm").summary == "the TensorFlow Lite Micro library does not exist"
    (tmp_path / "tflm").touch()
    assert refused(tmp_path / "tflm").summary == "the TensorFlow Lite Micro library is a file, not a folder"


def test_a_folder_without_tflm_is_refused_with_what_was_looked_for(tmp_path):
    failure = refused(tmp_path)
    assert failure.summary == "there is no TensorFlow Lite Micro in the library's folder"
    assert failure.where["looked for"] == f"{MICRO}/micro_interpreter.h, here, in src/ and one folder below"


def test_a_folder_with_several_of_them_is_refused(tmp_path):
    for name in ("a", "b"):
        lay_out(tmp_path / name, TREE)
    with pytest.raises(BuildError, match="the library's folder has several in it") as failure:
        read_folder(tmp_path, "--tflm-lib")
    assert failure.value.where["found"] == f"{tmp_path}/a\n{tmp_path}/b"


def test_a_clone_without_its_downloads_is_refused_with_the_headers_that_it_lacks(tmp_path):
    failure = refused(lay_out(tmp_path, CORE | {"third_party/flatbuffers/BUILD": ""}))
    assert failure.summary == (
        "the TensorFlow Lite Micro library is not complete: flatbuffers/flatbuffers.h, fixedpoint/fixedpoint.h and "
        "ruy/profiler/instrumentation.h not found"
    )
    assert failure.where["looked in"] == (
        f"{tmp_path}/third_party\n{tmp_path}/{MICRO}/tools/make/downloads\n{tmp_path}"
    )


def test_the_fft_is_needed_only_by_the_ops_for_audio(tmp_path):
    lay_out(tmp_path, TREE | {"signal/src/kiss_fft_wrappers/kiss_fft_int16.cc": ""})
    assert refused(tmp_path).summary == "the TensorFlow Lite Micro library is not complete: kiss_fft.h not found"


def test_a_library_with_a_manifest_is_its_authors_business_where_its_parts_are_not_found(tmp_path):
    lay_out(tmp_path, below("src", CORE) | {"library.properties": "name=Tiny ML\nversion=1.0.0\n"})
    assert read_folder(tmp_path, "--tflm-lib") == OpaqueFolder(
        folder=tmp_path,
        root=tmp_path / "src",
        manifest="library.properties",
        reason="flatbuffers/flatbuffers.h, fixedpoint/fixedpoint.h and ruy/profiler/instrumentation.h not found",
    )
