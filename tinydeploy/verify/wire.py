"""Tensors ↔ the bytes that travel over the link, where each tensor stands at the offset that the device named."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinydeploy.link.hello import Hello, TensorSpec

Array = npt.NDArray[np.generic]


def pack_sample(sample: Sequence[Array], hello: Hello) -> bytes:
    """The input of one inference; ``sample`` has one array per graph input, of its type and shape."""
    packed = bytearray(hello.input_bytes)
    for array, spec in zip(sample, hello.inputs, strict=True):
        packed[spec.offset : spec.offset + spec.nbytes] = array.tobytes()
    return bytes(packed)


def unpack_outputs(outputs: Sequence[bytes], hello: Hello) -> tuple[Array, ...]:
    """One array per graph output, of shape (samples, *tensor shape)."""
    return tuple(np.stack([unpack_tensor(output, spec) for output in outputs]) for spec in hello.outputs)


def unpack_tensor(output: bytes, spec: TensorSpec) -> Array:
    """One tensor among the bytes of one output, in its shape."""
    return np.frombuffer(output[spec.offset : spec.offset + spec.nbytes], spec.dtype.numpy).reshape(spec.shape)
