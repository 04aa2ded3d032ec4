"""A folder laid out like TensorFlow Lite Micro's sources, with next to nothing in its files."""

from collections.abc import Mapping
from pathlib import Path

MICRO = "tensorflow/lite/micro"
DOWNLOADS = f"{MICRO}/tools/make/downloads"

CORE = {
    f"{MICRO}/micro_interpreter.h": '#include "tensorflow/lite/core/c/common.h"\n#include <stdint.h>\n',
    f"{MICRO}/micro_interpreter.cc": (
        '#include "tensorflow/lite/micro/micro_interpreter.h"\n#include "flatbuffers/flatbuffers.h"\n'
    ),
    f"{MICRO}/micro_mutable_op_resolver.h": (
        "  TfLiteStatus AddConv2D(\n  TfLiteStatus AddAbs() {\n  TfLiteStatus AddCustom(const char* name) {\n"
    ),
    f"{MICRO}/kernels/conv.h": "TFLMRegistration Register_CONV_2D();\nTFLMRegistration Register_CONV_2D_INT8();\n",
    f"{MICRO}/kernels/conv.cc": (
        '#include "tensorflow/lite/micro/kernels/conv.h"\n// reference\n'
        '#ifdef XTENSA\n#include "tensorflow/lite/micro/kernels/xtensa/xtensa.h"\n#endif\n'
    ),
    f"{MICRO}/kernels/abs.cc": '#include "fixedpoint/fixedpoint.h"\n#include "ruy/profiler/instrumentation.h"\n',
    "tensorflow/lite/core/c/common.h": "struct TfLiteTensor;\n",
    "tensorflow/lite/core/c/common.cc": '#include "tensorflow/lite/core/c/common.h"\n',
}
"""What the arena's size depends on, with reference kernels."""

CMSIS_NN_KERNELS = {f"{MICRO}/kernels/cmsis_nn/conv.cc": '#include "Include/arm_nnfunctions.h"\n// cmsis_nn\n'}

THIRD_PARTY = {
    "flatbuffers/include/flatbuffers/flatbuffers.h": '#include "base.h"\n',
    "flatbuffers/include/flatbuffers/base.h": "\n",
    "gemmlowp/fixedpoint/fixedpoint.h": '#include "../internal/detect_platform.h"\n',
    "gemmlowp/internal/detect_platform.h": "\n",
    "ruy/ruy/profiler/instrumentation.h": "\n",
}
"""Of each package, what TFLM includes, by its place among the packages."""

CMSIS_NN = {
    "cmsis_nn/Include/arm_nnfunctions.h": '#include "arm_nn_types.h"\n',
    "cmsis_nn/Include/arm_nn_types.h": "\n",
    "cmsis_nn/Source/ConvolutionFunctions/arm_convolve_s8.c": '#include "arm_nnfunctions.h"\n',
    "cmsis_nn/Source/ConvolutionFunctions/arm_convolve_f32.c": '#include "arm_nnfunctions.h"\n',
    "cmsis_nn/Source/NNSupportFunctions/arm_nntables_flt.c": "\n",
}

NOT_NEEDED = {
    "README.md": "\n",
    f"{MICRO}/debug_log.cc": "void DebugLog() {}\n",
    f"{MICRO}/micro_time.cc": "\n",
    f"{MICRO}/micro_interpreter_test.cc": "\n",
    f"{MICRO}/test_helpers.cc": "\n",
    f"{MICRO}/cortex_m_generic/debug_log.cc": "void DebugLog() {}\n",
    f"{MICRO}/examples/hello_world/main.cc": "int main() {}\n",
    f"{MICRO}/kernels/conv_test.cc": "\n",
    f"{MICRO}/kernels/xtensa/conv.cc": "\n",
    f"{MICRO}/kernels/xtensa/xtensa.h": "\n",
    f"{MICRO}/testing/micro_test.h": "\n",
    f"{MICRO}/tools/benchmarking/benchmark.cc": "int main() {}\n",
    "tensorflow/lite/python/wrapper.cc": "\n",
}
"""What a clone has besides."""


def below(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    """The files, in that folder."""
    return {f"{folder}/{place}": text for place, text in files.items()}


TREE = CORE | CMSIS_NN_KERNELS | below("third_party", THIRD_PARTY | CMSIS_NN)
"""What create_tflm_tree.py makes, once with each set of kernels, into one folder."""

CLONE = CORE | CMSIS_NN_KERNELS | NOT_NEEDED | below(DOWNLOADS, THIRD_PARTY | CMSIS_NN)
"""A clone of upstream's repository, with its downloads."""


def lay_out(folder: Path, files: Mapping[str, str], *, newline: str = "\n") -> Path:
    """Writes the files, and returns the folder."""
    for place, text in files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline=newline)
    return folder
