"""Any source but a .tflite → a float .tflite with batch 1, by its own framework, in a process of its own."""

from collections.abc import Callable
from pathlib import Path

from tinydeploy.convert.float_model import FloatModel
from tinydeploy.convert.sources.ask import ask
from tinydeploy.convert.sources.formats import SourceFormat, source_format
from tinydeploy.convert.sources.onnx_environment import onnx_environment
from tinydeploy.convert.sources.packages import require_packages
from tinydeploy.errors import ModelError
from tinydeploy.model.text import printable

LEAST_AGREEMENT_DB = 40.0
"""Below it the float .tflite is not the source: float32 in another order of sums gives 100 dB and more, float16 60."""

_WORKERS = {SourceFormat.KERAS: "keras", SourceFormat.SAVED_MODEL: "saved_model", SourceFormat.TORCH: "torch"}


def to_float(
    source: Path,
    *,
    on_line: Callable[[str], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> FloatModel:
    """Converts a model of any format but .tflite.

    Inputs and outputs come in the source's order and have its names. PyTorch's and ONNX's images, (1, channels, height,
    width), become (1, height, width, channels), and so do outputs; ``permutations`` says it of the inputs. What the
    float model computes was compared with what the source computes, on four random inputs.

    Args:
        source: A .keras or .h5 file, a SavedModel folder, a torch.export archive (.pt2), or an .onnx file.
        on_line: Gets what the frameworks say.
        on_step: Gets how much is done, of how much, of the environment that ONNX needs; it is made once.

    Raises:
        UsageError: The source cannot be read.
        ModelError: It cannot be converted, or computes something else afterwards; names the layer or op.
        BuildError: Packages are missing; names the extra that brings them.
    """
    from tinydeploy.convert.sources.ports import with_source_names  # loads TFLite's schema: a tenth of a second

    kind = source_format(source)
    require_packages(kind)
    if kind is SourceFormat.ONNX:
        ask("onnx_check", source, on_line=on_line)
        python = onnx_environment(on_line=on_line, on_step=on_step)
        answer = ask("onnx", source, python=python, on_line=on_line)
    else:
        answer = ask(_WORKERS[kind], source, on_line=on_line)
    agreement_db = float(answer.told["agreement_db"])
    if agreement_db < LEAST_AGREEMENT_DB:
        raise _disagreement(source, agreement_db)
    return FloatModel(
        data=with_source_names(answer.model, answer.told["inputs"], answer.told["outputs"], name=source.name),
        source=printable(str(answer.told["source"])),
        permutations=tuple(
            tuple(port["permutation"]) if port["permutation"] else None for port in answer.told["inputs"]
        ),
        agreement_db=agreement_db,
    )


def _disagreement(source: Path, agreement_db: float) -> ModelError:
    return ModelError(
        f"the converted model computes something else than its source: {agreement_db:.1f} dB, "
        f"at least {LEAST_AGREEMENT_DB:g} dB expected",
        where={"model": source.name},
        hint="leave out what is random or depends on earlier inputs (dropout, states); PyTorch: export model.eval()",
    )
