"""Of which kind a failure is, and how it reaches the test: with its facts, without the way through this package.

Light: pytest loads it in each run, whether anything here is used or not.
"""

import functools
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from tinydeploy.errors import (
    BuildError,
    DeviceNotFoundError,
    FitError,
    FlashError,
    LinkError,
    ModelError,
    TinydeployError,
    VerificationError,
    WrongFirmwareError,
)

_P = ParamSpec("_P")
_T = TypeVar("_T")


class NumbersError(VerificationError, AssertionError):
    """The device did not compute what the test expects."""


class BudgetError(VerificationError, AssertionError):
    """The firmware takes more than the test allows."""


_KINDS: Mapping[type[TinydeployError], str] = {
    BudgetError: "budget",
    FitError: "budget",
    BuildError: "build",
    ModelError: "build",
    FlashError: "flash",
    DeviceNotFoundError: "no device",
    WrongFirmwareError: "wrong firmware",
    LinkError: "link",
    VerificationError: "numbers",
}


def kind_of(error: BaseException) -> str:
    """build, flash, no device, wrong firmware, link, numbers or budget.

    ``test`` for all else: an assertion of the test's own, an exception in it, or that it asks for what cannot be.
    """
    return next((kind for known, kind in _KINDS.items() if isinstance(error, known)), "test")


def facts_only(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Has the errors of this project come out as if the function itself had raised them, and hides it from pytest.

    What the error says is for the author of the test; the way that it came is not. Other exceptions are bugs, and
    keep their traceback.
    """

    @functools.wraps(function)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        __tracebackhide__ = True
        try:
            return function(*args, **kwargs)
        except TinydeployError as error:
            raise error.with_traceback(None) from None

    return told
