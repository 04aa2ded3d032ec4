"""An ONNX file to a float .tflite, by onnx2tf, in its own environment. Images get channels last."""

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .onnx_graph import inputs_of, load, loops_of, with_initial_states, with_plain_ends
from .shared import (
    Array,
    Converted,
    Port,
    Refusal,
    agreements_db,
    reason,
    require_plain_ops,
    stage,
    suspect,
    tflite_runner,
)

_UNROLL = "export the model with fixed shapes, and with its loops unrolled"
_NODE = re.compile(r"onnx_op_name: *(\S+)")


def work(source: Path) -> Converted:
    """Converts the file."""
    stage("reading the file")
    model = load(source)
    inputs = inputs_of(model)
    loops = loops_of(model)
    suspect(loops)
    stage("loading ONNX Runtime")
    with_initial_states(model)
    names, keyed = with_plain_ends(model, inputs)
    keys = [value.name for value in model.graph.output]
    run = _runner(model, keyed)
    data = _convert(model, keyed)
    require_plain_ops(data, loops, hint=_UNROLL)
    outputs = [Port(key=key, name=name) for key, name in zip(keys, names, strict=True)]
    converted = Converted(data=data, source=_source(model), inputs=keyed, outputs=outputs, run=run)
    return replace(converted, outputs=_laid_out(converted))


def _source(model: Any) -> str:  # noqa: ANN401 - onnx's
    producer = " ".join(part for part in (model.producer_name, model.producer_version) if part)
    return f"ONNX model (.onnx{', of ' + producer if producer else ''})"


def _runner(model: Any, inputs: list[Port]) -> Callable[[list[Array]], list[Array]]:  # noqa: ANN401 - onnx's
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Refusal("ONNX Runtime does not accept the model", where={"says": reason(error)}) from error

    def run(arrays: list[Array]) -> list[Array]:
        values = {port.key: array for port, array in zip(inputs, arrays, strict=True)}
        return [np.asarray(output) for output in session.run(None, values)]

    return run


def _convert(model: Any, inputs: list[Port]) -> bytes:  # noqa: ANN401 - onnx's
    stage("loading onnx2tf")
    # It starts onnxsim by its name. PYTHONPATH is for tinydeploy's own Python, not for that of this environment.
    os.environ.pop("PYTHONPATH", None)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    import onnx2tf
    from onnx2tf import onnx2tf as program

    # For its own comparison it would fetch photographs from the network.
    program.download_test_image_data = lambda: np.random.default_rng(0).random((20, 128, 128, 3), np.float32)
    stage("converting with onnx2tf")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        import onnx

        onnx.save(model, "model.onnx")
        kept = [port.key for port in inputs if port.permutation is None and len(port.shape) > 2]
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                onnx2tf.convert(
                    input_onnx_file_path="model.onnx",
                    output_folder_path="out",
                    copy_onnx_input_output_names_to_tflite=True,
                    keep_shape_absolutely_input_names=kept or None,
                    enable_rnn_unroll=True,
                    verbosity="error",
                )
        except (Exception, SystemExit) as error:
            raise _refusal(error, model, said.getvalue()) from error
        finally:
            sys.stderr.write(said.getvalue())
        path = Path("out/model_float32.tflite")
        if not path.is_file():
            raise Refusal("onnx2tf wrote no .tflite", hint="see its words with -v")
        return path.read_bytes()


def _refusal(error: BaseException, model: Any, said: str) -> Refusal:  # noqa: ANN401 - onnx's
    """Its reason, and the node at which it stopped, which it prints."""
    kinds = {node.name: node.op_type for node in model.graph.node}
    names = [name for name in _NODE.findall(said) if name in kinds]
    where = {"layer": f"{names[-1]} ({kinds[names[-1]]})"} if names else {"ops": ", ".join(sorted(set(kinds.values())))}
    if str(error) and not isinstance(error, SystemExit):
        where["says"] = reason(error)
    return Refusal(
        "onnx2tf does not accept the model", where=where, hint="export it with other ops; -v shows what onnx2tf says"
    )


def _laid_out(converted: Converted) -> list[Port]:
    """The outputs with the layout that onnx2tf gave them, which it does not tell: the one that agrees with the source.

    Raises:
        Refusal: An input or output has another shape than either layout.
    """
    zeros = [np.zeros(port.shape, port.dtype) for port in converted.inputs]
    expected = converted.run(zeros)
    try:
        found = tflite_runner(converted.data)(
            {port.key: port.laid_out(values) for port, values in zip(converted.inputs, zeros, strict=True)}
        )
    except (RuntimeError, ValueError) as error:
        raise Refusal("onnx2tf gave an input a shape of its own", where={"says": reason(error)}) from error
    choices = []
    for port, values in zip(converted.outputs, expected, strict=True):
        last = replace(port, permutation=(0, *range(2, values.ndim), 1)) if values.ndim > 2 else port
        fitting = [one for one in (port, last) if one.laid_out(values).shape == found[port.key].shape]
        if not fitting:
            shapes = "x".join(map(str, found[port.key].shape))
            raise Refusal(f"onnx2tf gave output {port.name} a shape of its own: {shapes}")
        choices.append((fitting[0], fitting[-1]))
    first, last_ones = ([pair[side] for pair in choices] for side in (0, 1))
    if first == last_ones:
        return first
    better = zip(*(agreements_db(replace(converted, outputs=side)) for side in (first, last_ones)), strict=True)
    return [one if as_is >= moved else other for (one, other), (as_is, moved) in zip(choices, better, strict=True)]
