"""What is known of Keras's layers: sets of class names."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DENSE_CONVOLUTIONS = _words("Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose")
SEPARABLE = _words("SeparableConv1D SeparableConv2D")
DEPTHWISE = _words("DepthwiseConv1D DepthwiseConv2D")

MAKERS = DENSE_CONVOLUTIONS | SEPARABLE | {"Dense"}
"""Layers that make each channel of all that they read."""

SCALES = _words("BatchNormalization PReLU")
"""Layers with a weight for each channel that they pass on."""

MERGING = _words("Add Subtract Multiply Average Maximum Minimum")
"""Layers, and the operations of the same names that stand for ``+``, ``-``, ``*`` and the like."""

RECTIFIERS = _words("ReLU LeakyReLU ELU")

IN_TRAINING = _words("Dropout SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout Identity")
"""Layers that do nothing in inference."""

PLACES = _words("""
    MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D
    ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D UpSampling1D UpSampling2D
""")
"""Layers that pick, leave out or average values of one channel; their int8 output has the scale of their input."""

GLOBAL_AVERAGES = _words("GlobalAveragePooling1D GlobalAveragePooling2D")

REARRANGING = _words("Flatten Reshape Permute RepeatVector")

ELEMENTWISE_FUNCTIONS = _words("""
    linear relu relu6 leaky_relu elu selu gelu silu sigmoid hard_sigmoid hard_silu tanh softplus softsign exponential
    mish
""")
"""Activations of one value at a time: what becomes of a channel does not depend on the others."""

# The axes of a kernel along which its output channels are, of the kinds whose kernels the converter quantises.
OUTPUT_AXES = {
    "Conv1D": (-1,),
    "Conv2D": (-1,),
    "Conv3D": (-1,),
    "Conv2DTranspose": (-2,),
    "DepthwiseConv1D": (-2, -1),
    "DepthwiseConv2D": (-2, -1),
    "Dense": (-1,),
}
