"""The tables of sizes that tests of TensorFlow Lite Micro's arena go through, by the names in their known answers."""

from tinydeploy.memory.tflm_cmsis_nn import cmsis_nn
from tinydeploy.memory.tflm_cmsis_scratch import Instructions
from tinydeploy.memory.tflm_reference import REFERENCE

TABLES = {
    "reference": REFERENCE,
    "dsp": cmsis_nn(Instructions.DSP),
    "none": cmsis_nn(Instructions.NONE),
    "mve": cmsis_nn(Instructions.MVE),
}
