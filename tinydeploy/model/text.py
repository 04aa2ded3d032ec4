"""Showing text that comes out of a model file, which anyone may have written."""

from tinydeploy.model.graph import Tensor

# Quotes, comment and format marks; two ? and a character are a trigraph.
_ENDING = frozenset('"\\*?%`')


def printable(text: str, *, limit: int = 60) -> str:
    """``text`` as printable ASCII of at most ``limit`` characters; anything else becomes ``_``.

    Safe in a terminal, in a report, in a C comment and in a C string: what could end or escape those
    becomes ``_`` too. Never empty.
    """
    shown = "".join(char if " " <= char <= "~" and char not in _ENDING else "_" for char in text[: limit + 1])
    shown = shown.strip() or "_"
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as it is shown everywhere: ``1x49x10x1``, or ``scalar``."""
    return "x".join(str(size) for size in shape) or "scalar"


def tensor_label(tensor: Tensor) -> str:
    """How a tensor is named in messages: index and name."""
    return f"tensor {tensor.index} ({printable(tensor.name)})"
