"""A SavedModel folder to a float .tflite, by its signature ``serving_default`` or its only one."""

from pathlib import Path
from typing import Any

from .shared import Array, Converted, Port, Refusal, fixed_shape, reason, stage
from .tensorflow_graph import convert, numpy_of

_EXPORT = "export it with fixed sizes"
_SERVING = "serving_default"


def work(source: Path) -> Converted:
    """Converts the folder."""
    stage("loading TensorFlow")
    import tensorflow as tf

    stage("loading the model")
    try:
        loaded = tf.saved_model.load(str(source))
    except Exception as error:
        raise Refusal(
            "TensorFlow cannot load the SavedModel",
            where={"says": reason(error)},
            hint="export it again, with all its files (variables/, assets/)",
        ) from error
    signature = _signature(loaded)
    specs = signature.structured_input_signature[1]
    inputs = [_input(position, name, spec) for position, (name, spec) in enumerate(specs.items())]
    names = list(signature.structured_outputs)

    def run(tensors: list[Any]) -> list[Any]:
        outputs = signature(**dict(zip(specs, tensors, strict=True)))
        return [outputs[name] for name in names]

    def run_arrays(arrays: list[Array]) -> list[Array]:
        return numpy_of(run([tf.constant(values) for values in arrays]))

    data, _ = convert(run, inputs, loaded)
    return Converted(
        data=data,
        source=f"SavedModel (TensorFlow {tf.__version__})",
        inputs=inputs,
        outputs=[Port(key=f"output_{position}", name=name) for position, name in enumerate(names)],
        run=run_arrays,
    )


def _signature(loaded: Any) -> Any:  # noqa: ANN401 - TensorFlow's
    signatures = dict(loaded.signatures)
    if _SERVING in signatures:
        return signatures[_SERVING]
    if len(signatures) == 1:
        return next(iter(signatures.values()))
    shown = ", ".join(sorted(signatures)) or "none"
    raise Refusal(
        f"the SavedModel has no signature {_SERVING}",
        where={"has": shown},
        hint="export the model with model.export(folder), or tf.saved_model.save(model, folder, signatures=function)",
    )


def _input(position: int, name: str, spec: Any) -> Port:  # noqa: ANN401 - TensorFlow's
    if spec.shape.rank is None:
        raise Refusal(f"input {name} has no shape", hint=_EXPORT)
    if spec.dtype.name == "string":
        raise Refusal(f"input {name} takes text", hint="export the model without what prepares its inputs")
    shape = fixed_shape(name, spec.shape.as_list(), export=_EXPORT)
    return Port(key=f"input_{position}", name=name, shape=shape, dtype=spec.dtype.name)
