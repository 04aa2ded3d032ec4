"""The packages that a format needs, looked for before anything heavy starts."""

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass

from tinydeploy.convert.sources.formats import SourceFormat
from tinydeploy.errors import BuildError


@dataclass(frozen=True, kw_only=True)
class _Need:
    modules: tuple[str, ...]
    extra: str


_NEEDS = {
    SourceFormat.KERAS: _Need(modules=("tensorflow", "keras"), extra="convert"),
    SourceFormat.SAVED_MODEL: _Need(modules=("tensorflow",), extra="convert"),
    SourceFormat.TORCH: _Need(modules=("torch", "litert_torch"), extra="torch"),
    SourceFormat.ONNX: _Need(modules=("onnx",), extra="onnx"),
}


def require_packages(source: SourceFormat) -> None:
    """Nothing, where what this format needs is installed; it is not loaded.

    Raises:
        BuildError: Something is missing; names the extra that brings it.
    """
    need = _NEEDS[source]
    missing = list(absent(need.modules))
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise BuildError(
            f"converting a {source.value} needs {' and '.join(missing)}, which {are} not installed",
            hint=f"pip install 'tinydeploy[{need.extra}]'",
        )


def absent(modules: Iterable[str]) -> Iterable[str]:
    """Those that cannot be imported."""
    return (module for module in modules if importlib.util.find_spec(module) is None)
