"""The first wrong value of a layer, and what is said of it."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from deployments import deployment_of, plan_of, write_model
from rich.console import Console

from tinydeploy.errors import UsageError
from tinydeploy.localize.localization import Fault, LayerDifference, Localization, layer_difference
from tinydeploy.model.graph import Graph
from tinydeploy.report.deployment import deployment_json
from tinydeploy.report.localization import localization_json, localization_text, require_evidence, write_evidence


@pytest.fixture
def graph(tmp_path) -> Graph:
    """One fully connected layer, of 16 values to 3."""
    return plan_of(write_model(tmp_path)).graph


def difference(graph: Graph, got: list, expected: list, dtype: type = np.int8, **facts: object) -> LayerDifference:
    arrays = (np.array([side], dtype) for side in (got, expected))
    place = {"sample": 3, "layer": 0, "channels": None} | facts
    return layer_difference(graph.outputs[0], *arrays, **place)


def test_the_first_of_several_differences_is_told_with_its_place(graph):
    found = difference(graph, [1, 2, 9], [1, 5, 3])
    assert found == LayerDifference(
        sample=3,
        layer=0,
        tensor=graph.outputs[0],
        values=3,
        differing=2,
        max_abs_diff=6,
        index=(0, 1),
        device=2,
        reference=5,
    )


def test_channels_are_counted_as_in_the_model_where_some_have_been_removed(graph):
    assert difference(graph, [1, 2], [1, 3], channels=(0, 2)).index == (0, 2)


def test_zeros_of_either_sign_differ_and_what_is_no_number_is_endlessly_far(graph):
    signs = difference(graph, [0.0, 1.0], [-0.0, 1.0], dtype=np.float32)
    assert (signs.differing, signs.max_abs_diff) == (1, 0)
    assert difference(graph, [math.nan], [1.0], dtype=np.float32).max_abs_diff == math.inf


def localization(graph: Graph, **changed: object) -> Localization:
    found = Localization(
        difference=difference(graph, [1, 2, 9], [1, 5, 3]),
        fault=Fault.KERNEL,
        because="of this",
        inputs=(np.zeros((1, 16), np.int8),),
        device=np.array([[1, 2, 9]], np.int8),
        reference=np.array([[1, 5, 3]], np.int8),
    )
    return replace(found, **changed)


def lines_of(graph: Graph, found: Localization) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=200, highlight=False).print(localization_text(graph, found))
    return out.getvalue().splitlines()


def test_a_person_reads_layer_values_input_and_fault(graph):
    quantization = graph.tensors[graph.outputs[0]].quantization
    title, tensor, differs, sample, fault = lines_of(graph, localization(graph))
    real = (2 - quantization.zero_point) * quantization.scale
    assert title == "the first wrong layer: op 0 FULLY_CONNECTED"
    assert tensor.startswith("  tensor   ")
    assert f"[0, 1]: board 2 ({real:.6g}), reference 5 (" in tensor
    assert differs == "  differs  2 of 3 values, by 6 at most"
    assert sample == "  input    sample 3, noise"
    assert fault == "  fault    the kernel's: of this"


@pytest.mark.parametrize(("sample", "told"), [(1, "the lowest values"), (15, "noise"), (18, "number 2 of --samples")])
def test_a_person_reads_where_the_input_comes_from(graph, sample, told):
    found = localization(graph, difference=difference(graph, [1], [2], sample=sample))
    assert f"  input    sample {sample}, {told}" in lines_of(graph, found)


def test_a_fault_that_is_in_no_layer_is_told_in_two_lines(graph):
    found = localization(graph, difference=None, fault=Fault.ELSEWHERE, device=None, reference=None)
    assert lines_of(graph, found) == ["no layer is wrong by itself", "  of this"]
    assert localization_json(graph, found) == {"layer": None, "fault": "elsewhere", "because": "of this"}


def test_programs_read_the_same(graph, tmp_path):
    found = localization(graph)
    told = localization_json(graph, found)
    assert (told["layer"], told["op"], told["fault"], told["because"]) == (0, "FULLY_CONNECTED", "kernel", "of this")
    assert (told["index"], told["device"], told["reference"], told["sample"]) == ([0, 1], 2, 5, 3)
    quantization = graph.tensors[graph.outputs[0]].quantization
    assert (told["scale"], told["zero_point"]) == (quantization.scale, quantization.zero_point)
    assert told["scale"] > 0
    path = write_model(tmp_path)
    json = deployment_json(deployment_of(path, plan_of(path), localization=found))
    assert json["verification"]["localization"] == told
    assert deployment_json(deployment_of(path, plan_of(path)))["verification"]["localization"] is None


def test_the_evidence_is_an_npz_of_inputs_and_both_tensors(graph, tmp_path):
    write_evidence(localization(graph), tmp_path / "evidence.npz")
    with np.load(tmp_path / "evidence.npz") as arrays:
        assert sorted(arrays.files) == ["device", "input0", "reference"]
        assert arrays["device"].tolist() == [[1, 2, 9]]


def test_evidence_in_another_format_is_refused_beforehand(tmp_path):
    with pytest.raises(UsageError, match=r"is no \.npz file"):
        require_evidence(tmp_path / "evidence.npy")
