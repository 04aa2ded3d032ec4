"""Why a model did not start, or an inference failed: words for the numbers of the engines."""

from enum import IntEnum


class TflmStatus(IntEnum):
    """enum td_tflm_status in firmware/tflm/td_tflm.h."""

    MODEL_MISALIGNED = -1
    MODEL_ALTERED = -2
    SCHEMA_VERSION = -3
    OP_NOT_ADDED = -4
    ARENA_MISALIGNED = -5
    ARENA_TOO_SMALL = -6
    OP_REFUSED = -7
    INPUTS_DIFFER = -8
    OUTPUTS_DIFFER = -9
    INVOKE_FAILED = -10


_WORDS = {
    TflmStatus.MODEL_MISALIGNED: "the model does not lie at a multiple of 16 in flash",
    TflmStatus.MODEL_ALTERED: "the model in flash is not the one that the firmware was built with",
    TflmStatus.SCHEMA_VERSION: "the library reads another version of the .tflite format",
    TflmStatus.OP_NOT_ADDED: "an op of the model has no place in the resolver",
    TflmStatus.ARENA_MISALIGNED: "the arena does not lie at a multiple of 16",
    TflmStatus.ARENA_TOO_SMALL: "the arena is too small",
    TflmStatus.OP_REFUSED: "the library has no kernel for an op, or its kernel does not take these tensors",
    TflmStatus.INPUTS_DIFFER: "the library sees other inputs than the firmware was built for",
    TflmStatus.OUTPUTS_DIFFER: "the library sees other outputs than the firmware was built for",
    TflmStatus.INVOKE_FAILED: "a kernel of the library failed",
}


def status_text(engine: str, status: int) -> str:
    """What an engine's status means, and its number."""
    words = _WORDS.get(TflmStatus(status)) if engine == "tflm" and status in set(TflmStatus) else None
    return f"{words} (status {status})" if words else f"status {status}"
