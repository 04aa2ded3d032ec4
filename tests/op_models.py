"""Models of one op for tests, with just what a test wants to say about it."""

from tflite_builder import ModelBuilder


def one_op(kind, shape, output_shape, *constants, source=(0.1, 3), output=(0.1, 3), types=("INT8", "INT8"), **options):
    """A model of one op with one input, its further operands constant."""
    builder = ModelBuilder()
    x, y = (
        builder.tensor(
            dims, dtype, **({} if dtype == "FLOAT32" else {"scale": quantization[0], "zero_point": quantization[1]})
        )
        for dims, dtype, quantization in zip((shape, output_shape), types, (source, output), strict=True)
    )
    builder.op(kind, [x, *(builder.constant(values) for values in constants)], [y], **options)
    return builder.finish(inputs=[x], outputs=[y])
