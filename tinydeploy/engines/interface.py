"""What an engine gives to the stages after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, kw_only=True)
class ModelCode:
    """The generated code of one model, ready to be put into a firmware project.

    ``files`` are the engine's generated sources by their place in the project (``src/model.c``), which define
    ``td_model`` (firmware/include/td_model.h). ``kernels`` are the C files that they need, by name below
    firmware/kernels (``reference/conv_2d.c``). ``input_bytes`` and ``output_bytes`` are the sizes of the buffers that
    hold all inputs and all outputs, each tensor at a multiple of 16.
    """

    files: Mapping[PurePosixPath, bytes]
    kernels: tuple[str, ...]
    input_bytes: int
    output_bytes: int
    arena_bytes: int
