"""The layer that is wrong: as text, as values for JSON, and as a file to look into it with."""

import io
from pathlib import Path

import numpy as np
from rich.text import Text

from tinydeploy.errors import UsageError
from tinydeploy.files import write_file
from tinydeploy.localize.localization import Fault, Localization
from tinydeploy.model.graph import Graph, Quantization
from tinydeploy.model.text import printable
from tinydeploy.report.values import Json
from tinydeploy.samples import DEFAULT_SAMPLES

_OF = {Fault.KERNEL: "the kernel's", Fault.MEMORY_PLAN: "the memory plan's", Fault.MODEL: "the model's"}
_FIRST = ("zeros", "the lowest values", "the highest values")


def localization_text(graph: Graph, localization: Localization) -> Text:
    """What was found out, in lines."""
    difference = localization.difference
    if difference is None:
        return Text.assemble(("no layer is wrong by itself", "bold"), f"\n  {localization.because}")
    op, tensor = graph.ops[difference.layer], graph.tensors[difference.tensor]
    quantization = tensor.quantization
    scale = f"; scale {quantization.scale:g}, zero point {quantization.zero_point}" if quantization else ""
    place = f"{printable(tensor.name)}{list(difference.index)}"
    writer = next(other for other in graph.ops if difference.tensor in other.outputs)
    fused = "" if writer is op else f", with {writer} in it"
    count = f"{difference.differing:,} of {difference.values:,} values"
    return Text.assemble(
        ("the first wrong layer", "bold"),
        f": {op}{fused}\n",
        f"  tensor   {place}: board {_value(difference.device, quantization)}, "
        f"reference {_value(difference.reference, quantization)}{scale}\n",
        f"  differs  {count}, by {difference.max_abs_diff:g} at most\n",
        f"  input    sample {difference.sample}, {_sample(difference.sample)}\n",
        f"  fault    {_OF[localization.fault]}: {localization.because}",
    )


def localization_json(graph: Graph, localization: Localization) -> dict[str, Json]:
    """The same as values."""
    difference = localization.difference
    found: dict[str, Json] = {"fault": localization.fault.value, "because": localization.because}
    if difference is None:
        return {"layer": None, **found}
    tensor = graph.tensors[difference.tensor]
    return {
        "layer": difference.layer,
        "op": printable(graph.ops[difference.layer].kind),
        "tensor": printable(tensor.name),
        "sample": difference.sample,
        "index": list(difference.index),
        "device": difference.device,
        "reference": difference.reference,
        "scale": tensor.quantization.scale if tensor.quantization else None,
        "zero_point": tensor.quantization.zero_point if tensor.quantization else None,
        "values": difference.values,
        "differing": difference.differing,
        "max_abs_diff": difference.max_abs_diff,
        **found,
    }


def require_evidence(path: Path) -> None:
    """Tells beforehand that `write_evidence` would not write such a file.

    Raises:
        UsageError: Its name is that of another format.
    """
    if path.suffix != ".npz":
        raise UsageError(f"{path} is no .npz file", hint="give it a name that ends in .npz")


def write_evidence(localization: Localization, path: Path) -> None:
    """The input that shows the fault, ``input0``..., and the wrong tensor as it is and has to be.

    Raises:
        UsageError: The file cannot be written.
    """
    assert localization.device is not None
    assert localization.reference is not None
    arrays = {f"input{place}": values for place, values in enumerate(localization.inputs)}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, device=localization.device, reference=localization.reference, **arrays)
    write_file(path, content.getvalue())


def _value(number: float, quantization: Quantization | None) -> str:
    """What is stored, and what that means."""
    return f"{number:g}" if quantization is None else f"{number:g} ({quantization.real(number):.6g})"


def _sample(sample: int) -> str:
    """Where a sample comes from, counted as `verification_samples` puts them together."""
    if sample >= DEFAULT_SAMPLES:
        return f"number {sample - DEFAULT_SAMPLES} of --samples"
    return _FIRST[sample] if sample < len(_FIRST) else "noise"
