"""Making Keras models smaller before they are converted: pruning, distillation, quantisation-aware training.

Each function takes a live Keras 3 model, functional or Sequential, leaves it as it is and returns a new one that is not
compiled. They run on any backend of Keras. Sources are named where a method is implemented.
"""

from tinydeploy.compress.channels import prune_channels
from tinydeploy.compress.distillation import distill
from tinydeploy.compress.magnitude import Schedule, prune_magnitude
from tinydeploy.compress.quantization_aware import quantize_aware
from tinydeploy.compress.sparsity import deflated_bytes, kernel_sparsities, sparsity

__all__ = [
    "Schedule",
    "deflated_bytes",
    "distill",
    "kernel_sparsities",
    "prune_channels",
    "prune_magnitude",
    "quantize_aware",
    "sparsity",
]
