"""Limits on what a conversion may cost in quality, for builds that must not go on below them."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinydeploy.errors import UsageError

if TYPE_CHECKING:
    from tinydeploy.convert.quality import Quality


@dataclass(frozen=True, kw_only=True)
class Gates:
    """The least SQNR of any output in dB, and the least share of labelled samples that the integer model gets right."""

    min_sqnr_db: float | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        if any(limit is not None and math.isnan(limit) for limit in (self.min_sqnr_db, self.min_accuracy)):
            raise UsageError("nan is no limit", hint="--min-sqnr takes decibels, --min-accuracy a share from 0 to 1")

    def require_labels(self, labelled: bool) -> None:
        """Tells before the work that there will be no accuracy.

        Raises:
            UsageError: One is asked for, and the samples have no labels.
        """
        if self.min_accuracy is not None and not labelled:
            raise _no_labels()


def missed(quality: "Quality | None", gates: Gates) -> tuple[str, ...]:
    """A sentence with both figures for each limit that is not kept; a figure that is missing keeps none.

    Raises:
        UsageError: There are no labels to tell an accuracy with, or nothing was quantised.
    """
    if gates == Gates():
        return ()
    if quality is None:
        raise UsageError(
            "there is no quality to hold against a limit: the model was integer already",
            hint="leave out --min-sqnr and --min-accuracy, or convert the float model",
        )
    told = []
    if gates.min_sqnr_db is not None:
        sqnr = quality.min_sqnr_db
        if sqnr is None:
            raise UsageError("the outputs are indices, which have no SQNR", hint="use --min-accuracy with --labels")
        if sqnr < gates.min_sqnr_db:
            told.append(f"the SQNR of the outputs is {sqnr:.1f} dB, at least {gates.min_sqnr_db:g} dB is asked for")
    if gates.min_accuracy is not None:
        if quality.correct is None:
            raise _no_labels()
        share = quality.correct.integer_model / quality.correct.samples
        if share < gates.min_accuracy:
            told.append(
                f"the accuracy is {share:.2%} ({quality.correct.integer_model} of {quality.correct.samples}), "
                f"at least {gates.min_accuracy:.2%} is asked for"
            )
    return tuple(told)


def _no_labels() -> UsageError:
    return UsageError("there are no labels to tell an accuracy with", hint="--labels FILE, one class a line")
