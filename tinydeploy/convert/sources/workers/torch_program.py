"""A torch.export archive to a float .tflite, by litert-torch. Inputs and outputs of 4 dimensions get channels last."""

import logging
import re
from pathlib import Path
from typing import Any

from .shared import Array, Converted, Port, Refusal, fixed_shape, reason, require_plain_ops, stage

_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_EXPORT = "export it with fixed sizes: torch.export.export(model.eval(), (example,))"
_NO_LOWERING = re.compile(r"Lowering not found: ([\w.]+)")
_RANDOM = re.compile(r"rand|bernoulli|dropout")


def work(source: Path) -> Converted:
    """Converts the archive."""
    stage("loading PyTorch")
    import torch

    stage("loading the program")
    try:
        program = torch.export.load(source)
    except Exception as error:
        raise Refusal(
            f"PyTorch {torch.__version__} cannot load the exported program",
            where={"says": reason(error)},
            hint="export it again with this version of PyTorch: torch.export.save(program, 'model.pt2')",
        ) from error
    inputs = _inputs(program)
    run = _runner(program, inputs)
    outputs = _outputs(program, run, inputs)
    data = _convert(program, _channels_last(program, inputs, outputs), inputs)
    return Converted(
        data=data,
        source=f"PyTorch {torch.__version__} program (.pt2)",
        inputs=inputs,
        outputs=outputs,
        run=run,
    )


def _inputs(program: Any) -> list[Port]:  # noqa: ANN401 - torch's
    import torch

    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    ports = []
    for position, name in enumerate(program.graph_signature.user_inputs):
        value = values.get(name) if isinstance(name, str) else name
        if not isinstance(value, torch.Tensor):
            raise Refusal(
                f"input {name} of the program is no tensor", hint="export a module whose forward takes tensors only"
            )
        sizes = [size if isinstance(size, int) else None for size in value.shape]
        shape = fixed_shape(name, sizes, export=_EXPORT)
        dtype = str(value.dtype).removeprefix("torch.")
        permutation = _TO_LAST if len(shape) == 4 else None
        ports.append(Port(key=f"args_{position}", name=name, shape=shape, dtype=dtype, permutation=permutation))
    return ports


def _runner(program: Any, inputs: list[Port]) -> Any:  # noqa: ANN401 - torch's
    """The program from a list of arrays to a list of arrays."""
    import torch

    call = _flat_call(program)

    def run(arrays: list[Array]) -> list[Array]:
        with torch.no_grad():
            tensors = [
                torch.from_numpy(values).to(getattr(torch, port.dtype))
                for port, values in zip(inputs, arrays, strict=True)
            ]
            return [value.numpy() for value in call(tensors)]

    return run


def _flat_call(program: Any) -> Any:  # noqa: ANN401 - torch's
    """The program from a list of tensors to a list of tensors, however it nests them."""
    from torch.utils import _pytree as pytree

    module = program.module(check_guards=False)
    form = program.call_spec.in_spec

    def call(tensors: list[Any]) -> list[Any]:
        args, kwargs = pytree.tree_unflatten(tensors, form)
        return list(pytree.tree_leaves(module(*args, **kwargs)))

    return call


def _outputs(program: Any, run: Any, inputs: list[Port]) -> list[Port]:  # noqa: ANN401 - torch's
    import numpy as np

    stage("running the program")
    names = list(program.graph_signature.user_outputs)
    try:
        values = run([np.zeros(port.shape, port.dtype) for port in inputs])
    except Exception as error:
        raise Refusal(
            "the program does not run with batch 1", where={"says": reason(error)}, hint=f"{_EXPORT}, with batch 1"
        ) from error
    return [
        Port(
            key=f"output_{position}",
            name=str(names[position]) if len(names) == len(values) else f"output_{position}",
            permutation=_TO_LAST if value.ndim == 4 else None,
        )
        for position, value in enumerate(values)
    ]


def _channels_last(program: Any, inputs: list[Port], outputs: list[Port]) -> Any:  # noqa: ANN401 - torch's
    """A module from tensors in the .tflite's layout to a tuple of such; litert-torch takes the transposes out."""
    import torch

    call = _flat_call(program)

    class ChannelsLast(torch.nn.Module):  # type: ignore[misc]
        def forward(self, *tensors: Any) -> Any:  # noqa: ANN401 - torch's
            first = [
                value.permute(_TO_FIRST) if port.permutation else value
                for port, value in zip(inputs, tensors, strict=True)
            ]
            return tuple(
                value.permute(_TO_LAST) if port.permutation else value
                for port, value in zip(outputs, call(first), strict=True)
            )

    return ChannelsLast().eval()


def _convert(program: Any, module: Any, inputs: list[Port]) -> bytes:  # noqa: ANN401 - torch's
    import torch

    stage("loading litert-torch")
    logging.disable(logging.WARNING)
    import litert_torch

    stage("converting with litert-torch")
    examples = []
    for port in inputs:
        value = torch.zeros(port.shape, dtype=getattr(torch, port.dtype))
        examples.append(value.permute(_TO_LAST).contiguous() if port.permutation else value)
    try:
        data = bytes(litert_torch.convert(module, tuple(examples)).model_content())
    except Exception as error:
        raise _refusal(error, program) from error
    require_plain_ops(data, (), hint="export a model without loops and branches that depend on data")
    return data


def _refusal(error: Exception, program: Any) -> Refusal:  # noqa: ANN401 - torch's
    text = str(error)
    missing = _NO_LOWERING.search(text)
    if missing:
        hint = "express it with other ops, or end the model before it and compute the rest in the application"
        if _RANDOM.search(missing.group(1)):
            hint = "the program is random, as in training: call model.eval() before torch.export.export"
        layers = _layers(program, missing.group(1))
        where = {"layer": "\n".join(layers[:6])} if layers else {}
        return Refusal(f"litert-torch cannot convert the op {missing.group(1)}", where=where, hint=hint)
    return Refusal(
        "litert-torch does not accept the program",
        where={"says": reason(error)},
        hint="replace what it names in the model",
    )


def _layers(program: Any, op: str) -> list[str]:  # noqa: ANN401 - torch's
    """The modules that have this op, by their place in the model and their class."""
    stacks = [node.meta.get("nn_module_stack") for node in program.graph.nodes if str(node.target) == op]
    innermost = [list(stack.values())[-1] for stack in stacks if stack]
    return sorted({f"{place or 'the model'} ({str(kind).rpartition('.')[2]})" for place, kind in innermost})
