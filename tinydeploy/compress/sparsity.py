"""How many weights of a model are zero, and what that is worth."""

import zlib

from tinydeploy.compress.framework import Model, Variable
from tinydeploy.compress.kinds import DENSE_CONVOLUTIONS, SEPARABLE
from tinydeploy.compress.network import network_of

# Of each layer kind that magnitude pruning changes: the attribute with its kernel. Not the depthwise ones, which have
# few weights: Zhu & Gupta leave them alone in MobileNet, too.
_KERNELS = {**dict.fromkeys(DENSE_CONVOLUTIONS | {"Dense"}, "kernel"), **dict.fromkeys(SEPARABLE, "pointwise_kernel")}


def prunable_kernels(model: Model) -> dict[str, Variable]:
    """The variables that magnitude pruning may set to zero, by the name of their layer."""
    steps = network_of(model).steps
    return {step.name: getattr(step.layer, _KERNELS[step.kind]) for step in steps if step.kind in _KERNELS}


def kernel_sparsities(model: Model) -> dict[str, float]:
    """The share of zeros, from 0 to 1, in each kernel that magnitude pruning changes, by the name of its layer."""
    kernels = {name: kernel.numpy() for name, kernel in prunable_kernels(model).items()}
    return {name: float((kernel == 0).mean()) for name, kernel in kernels.items()}


def sparsity(model: Model) -> float:
    """The share of zeros among all weights of those kernels, from 0 to 1; 0 where there are none."""
    kernels = [kernel.numpy() for kernel in prunable_kernels(model).values()]
    zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
    return zeros / max(1, sum(int(kernel.size) for kernel in kernels))


def deflated_bytes(data: bytes) -> int:
    """The size of a file once compressed (zlib, level 9), as an update over the air would send it.

    This is what zeros save: in a .tflite, and in a microcontroller's flash, a zero takes as much room as any value.
    """
    return len(zlib.compress(data, 9))
