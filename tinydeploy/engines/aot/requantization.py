"""Requantisation in two instructions: TFLM's step from accumulator to int8, fitted to what a DSP core does at once.

TFLM rounds twice (see ``fixed_point.multiply``), adds the zero point and bounds the result. Over the accumulators that
a channel can have at all, this is a monotone step function with at most 255 steps. Two other formulas give it:

**The fitted form** (`Fit`), where it can be proven to be equal:

    output = SSAT(8, SMMLA(accumulator + bias_shift, multiplier, offset) ASR shift)

with SMMLA(a, m, r) = r + (a * m >> 32), and one ``shift`` for all channels of a layer, since it is part of the
instruction. A kernel adds ``bias_shift`` to the bias and so executes SMMLA and SSAT. The proof is complete: both sides
are monotone, so that they are equal everywhere if they are where TFLM's steps are and at the ends of the range.

**The general form** (`General`), for all factors below 1/2, also where rounding differs between the signs:

    output = SSAT(8, SMMLAR(2 * accumulator, multiplier, offset + (accumulator ASR 31)) ASR shift)

with SMMLAR(a, m, r) = r + ((a * m + 2**31) >> 32), and a shift for each channel.

Both give the output before an activation's bounds: where `bounds_are_natural` is false the caller bounds it to
[low, high] afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.fixed_point import INT32_MAX, INT32_MIN
from tinydeploy.engines.aot.multiples import multiples_to_move

Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MAX_SHIFT = 23
"""Of the fitted form: the first channel of a pair has 8 more, and shifts end at 31."""

LEADING_SUMS = 2**23
"""Below it are the accumulators of a channel that leads a pair: 256 times as much fits into int32."""

_SHIFTS_TRIED = 8
"""How many shifts are looked at below a layer's largest: each one costs a bit of the multiplier."""

_NEIGHBOURS = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6)
"""Multipliers that are tried, as distances from the true factor, rounded."""

_CLOSEST = -1
"""The last distance of those around the true factor. Where none of them has room, hardly any other has."""

_MAX_BIAS_SHIFT = 2**20
"""How far a bias may move. It takes some hundred to some thousand: of all constants, 1 in 127 makes all 255 steps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Requantization:
    """What TFLM makes of a layer's accumulators.

    Arrays are [channels]: the factor is ``mantissa * 2**(shift - 31)``, and every accumulator, bias included, is in
    [lo, hi], which fits into int32 also after a left shift. Outputs are int8, bounded to [low, high].
    """

    mantissa: Int64Array
    shift: Int64Array
    lo: Int64Array
    hi: Int64Array
    zero_point: int
    low: int
    high: int

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return len(self.mantissa)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The fitted form, proven for every accumulator of the layer. Arrays are [channels] and fit into int32.

    Neither accumulator + bias_shift nor SMMLA's result leaves int32.
    """

    shift: int
    bias_shift: Int64Array
    multiplier: Int64Array
    offset: Int64Array


@dataclass(frozen=True, kw_only=True, eq=False)
class General:
    """The general form. Arrays are [channels] and fit into int32; shifts are in [1, 31]. Nothing leaves int32."""

    shift: Int64Array
    multiplier: Int64Array
    offset: Int64Array


def requantize(layer: Requantization, accumulators: Int64Array) -> Int64Array:
    """TFLM's outputs, as they are defined; ``accumulators`` are [channels, any]."""
    return np.minimum(np.maximum(_unbounded(layer, accumulators), layer.low), layer.high)


def bounds_are_natural(layer: Requantization) -> bool:
    """Whether saturation to int8 alone keeps all outputs within [low, high]: then nothing has to be bounded."""
    ends = np.clip(_unbounded(layer, _ends(layer)), -128, 127)
    return bool(np.all(ends >= layer.low) and np.all(ends <= layer.high))


def general_form(layer: Requantization) -> General | None:
    """The general form; None where a channel that is not constant has no right shift, or something leaves int32.

    Constant channels for which that is so, or that could not lead a pair (see `may_lead_a_pair`), get a multiplier of
    0: what their accumulators are does not matter.

    Exact by construction: SMMLAR is the first of TFLM's roundings, ``offset`` with the sign the second, ties away from
    zero. Where a negative accumulator is rounded to 0 first, the sign makes no difference.
    """
    e = np.maximum(-layer.shift, 1)
    form = General(shift=e, multiplier=layer.mantissa, offset=(layer.zero_point << e) + (1 << (e - 1)))
    holds = (layer.shift < 0) & _stays_within_int32(form, layer)
    steps = _steps_of(layer)
    if not np.all(holds | steps.constant):
        return None
    holds &= ~steps.constant | np.all(abs(_ends(layer)) < LEADING_SUMS, axis=1)
    return General(
        shift=np.where(holds, form.shift, 1),
        multiplier=np.where(holds, form.multiplier, 0),
        offset=np.where(holds, form.offset, (steps.first << 1) + 1),
    )


def _stays_within_int32(form: General, layer: Requantization) -> BoolArray:
    doubled = 2 * _ends(layer)
    offset = form.offset[:, None]
    sums = offset + (doubled >> 63) + ((doubled * form.multiplier[:, None] + 2**31) >> 32)
    return np.asarray(_inside_int32(np.hstack([doubled, sums, offset, offset - 1])).all(axis=1))


def general_outputs(form: General, accumulators: Int64Array) -> Int64Array:
    """What the general form gives, before bounds; ``accumulators`` are [channels, any]."""
    offset = form.offset[:, None] + (accumulators >> 63)
    sums = offset + ((2 * accumulators * form.multiplier[:, None] + 2**31) >> 32)
    return np.asarray(np.clip(sums >> form.shift[:, None], -128, 127))


def fit_layer(layer: Requantization, shifts: Sequence[int]) -> Fit | None:
    """The fitted form with the first of the shifts that can be proven for all channels."""
    steps = _steps_of(layer)
    return next((fit for shift in shifts if (fit := _fit(layer, steps, shift))), None)


def fit_outputs(fit: Fit, accumulators: Int64Array) -> Int64Array:
    """What the fitted form gives, before bounds; ``accumulators`` are [channels, any]."""
    return np.asarray(np.clip(_multiplied(fit, accumulators) >> fit.shift, -128, 127))


def feasible_shifts(layer: Requantization) -> tuple[int, ...]:
    """The shifts for which all channels fit, largest first: it leaves the multipliers the most bits.

    Looked at are the largest that is possible and those right below it.
    """
    return tuple(_fits(layer))


def common_shifts(layers: Sequence[Requantization]) -> tuple[int | None, ...]:
    """A shift for each layer, None where none fits, such that there are few different ones.

    Each different shift is another instance of a kernel in flash. Greedy: the shift that serves most layers comes
    first, among equals the largest.
    """
    return _common([feasible_shifts(layer) for layer in layers])


def fit_layers(layers: Sequence[Requantization]) -> tuple[Fit | None, ...]:
    """The fitted forms with `common_shifts`."""
    fits = [_fits(layer) for layer in layers]
    return tuple(None if shift is None else fit[shift] for fit, shift in zip(fits, _common(fits), strict=True))


def may_lead_a_pair(fit: Fit, layer: Requantization) -> BoolArray:
    """For which channels a kernel may compute with 256 times the accumulator (`i8p`), [channels].

    The first channel of a byte pair comes out of the sums times 256: its bias, ``bias_shift`` and ``offset`` are times
    256 too, and ``shift + 8`` shifts it. All of that has to stay within int32, but for sums that are multiplied by 0.
    """
    scaled = np.where(fit.multiplier == 0, 0, 256 * (_ends(layer).T + fit.bias_shift)).T
    offset = 256 * fit.offset[:, None]
    sums = offset + (scaled * fit.multiplier[:, None] >> 32)
    return np.asarray(_inside_int32(np.hstack([scaled, offset, sums])).all(axis=1))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Steps:
    """TFLM's step function: from ``first`` to ``last``, [channels] each; constant where they are equal.

    ``thresholds[c, i]`` is the smallest accumulator whose output is at least ``outputs[c, i]``, for each output above
    the first; rows are filled up with repetitions. ``held`` are the outputs that nothing can leave downwards and
    upwards: int8's, or the activation's bounds where those are applied afterwards.
    """

    held: tuple[int, int]
    first: Int64Array
    last: Int64Array
    outputs: Int64Array
    thresholds: Int64Array

    @property
    def constant(self) -> BoolArray:
        return np.asarray(self.first == self.last)


def _steps_of(layer: Requantization) -> _Steps:
    """Both roundings turned around: the thresholds in closed form."""
    first, last = requantize(layer, _ends(layer)).T
    most = max(int(np.max(last - first, initial=0)), 1)
    outputs = np.minimum(first[:, None] + np.arange(1, most + 1), np.maximum(last, first + 1)[:, None])
    e = np.maximum(-layer.shift, 0)[:, None]
    wanted = outputs - layer.zero_point
    # The second rounding, of h / 2**e: ties go up where the result is positive, else down.
    half = (1 << e) >> 1
    h = (wanted << e) - half + ((e > 0) & (wanted <= 0))
    # The first rounding, of x * mantissa / 2**31: ties go up. No h is outside int32.
    product = np.clip(h, INT32_MIN, INT32_MAX + 1) * 2**31 - 2**30
    x = -(-product // np.maximum(layer.mantissa, 1)[:, None])
    thresholds = -(-x >> np.maximum(layer.shift, 0)[:, None])
    held = (-128, 127) if bounds_are_natural(layer) else (layer.low, layer.high)
    return _Steps(held=held, first=first, last=last, outputs=outputs, thresholds=thresholds)


def _fits(layer: Requantization) -> Mapping[int, Fit]:
    """The fitted form for each shift that all channels fit, largest first, up to the first that they do not."""
    steps = _steps_of(layer)
    largest = int(np.min(-layer.shift[~steps.constant] - 1, initial=MAX_SHIFT))
    fits = {}
    for shift in range(largest, max(largest - _SHIFTS_TRIED, 0), -1):
        fit = _fit(layer, steps, shift)
        if fit is None:
            break
        fits[shift] = fit
    return fits


def _common(feasible: Sequence[Mapping[int, Fit] | Sequence[int]]) -> tuple[int | None, ...]:
    chosen: list[int | None] = [None] * len(feasible)
    while waiting := [i for i, shifts in enumerate(feasible) if chosen[i] is None and shifts]:
        shifts = {shift for i in waiting for shift in feasible[i]}
        best = max(shifts, key=lambda shift: (sum(shift in feasible[i] for i in waiting), shift))
        for i in waiting:
            chosen[i] = best if best in feasible[i] else None
    return tuple(chosen)


def _fit(layer: Requantization, steps: _Steps, shift: int) -> Fit | None:
    """The fitted form with this shift, proven; None where a channel does not fit."""
    if not 1 <= shift <= MAX_SHIFT or np.any(-layer.shift[~steps.constant] - 1 < shift):
        return None
    fit = Fit(
        shift=shift,
        bias_shift=np.zeros(layer.channels, np.int64),
        multiplier=np.zeros(layer.channels, np.int64),
        offset=steps.first << shift,
    )
    waiting = np.flatnonzero(~steps.constant)
    possible = np.zeros(layer.channels, np.bool_)
    for distance in _NEIGHBOURS:
        possible[waiting] |= _fit_some(fit, layer, steps, waiting, distance)
        waiting = waiting[fit.multiplier[waiting] == 0]
        if not waiting.size or (distance == _CLOSEST and not possible[waiting].all()):
            break
    return fit if not waiting.size and _is_proven(fit, layer, steps) else None


def _fit_some(fit: Fit, layer: Requantization, steps: _Steps, waiting: Int64Array, distance: int) -> BoolArray:
    """Fits those of the waiting channels that it can with multipliers at this distance; where there is room at all.

    With the multiplier given, an output's threshold bounds ``constant = bias_shift * multiplier + 2**32 * offset`` from
    below, the accumulator before it from above. The constant fits if it is between the largest lower and the smallest
    upper bound; which multiples of 2**32 are, is up to the bias shift.
    """
    to_true = -layer.shift[waiting] - 1 - fit.shift
    multiplier = np.clip(((layer.mantissa[waiting] + (1 << to_true >> 1)) >> to_true) + distance, 1, INT32_MAX)
    one = 1 << (32 + fit.shift)
    short = steps.outputs[waiting] * one - steps.thresholds[waiting] * multiplier[:, None]
    lower, upper = short.max(axis=1), short.min(axis=1) + multiplier - 1
    # Where neither saturation nor the bounds hold the ends of the range at their outputs, they are thresholds too.
    first, last = steps.first[waiting], steps.last[waiting]
    at_lo, at_hi = first * one - layer.lo[waiting] * multiplier, (last + 1) * one - 1 - layer.hi[waiting] * multiplier
    lower = np.where(first > steps.held[0], np.maximum(lower, at_lo), lower)
    upper = np.where(last < steps.held[1], np.minimum(upper, at_hi), upper)
    room = upper - lower

    move = multiples_to_move(multiplier, upper, room)
    found = abs(move) <= _MAX_BIAS_SHIFT
    fit.bias_shift[waiting[found]] = move[found]
    fit.multiplier[waiting[found]] = multiplier[found]
    fit.offset[waiting[found]] = (upper - move * multiplier >> 32)[found]
    return np.asarray(room >= 0)


def _is_proven(fit: Fit, layer: Requantization, steps: _Steps) -> bool:
    """Whether the fitted form is TFLM's function, and nothing leaves int32.

    Both are monotone: equal at every threshold, right before it and at the ends of the range, they are equal.
    """
    ends = _ends(layer)
    points = np.hstack([ends, steps.thresholds, steps.thresholds - 1])
    points = np.clip(points, layer.lo[:, None], layer.hi[:, None])
    outputs = np.clip(fit_outputs(fit, points), *steps.held)
    return (
        bool(np.array_equal(outputs, requantize(layer, points)))
        and _is_int32(ends + fit.bias_shift[:, None])
        and _is_int32(_multiplied(fit, ends))
        and _is_int32(fit.offset)
    )


def _multiplied(fit: Fit, accumulators: Int64Array) -> Int64Array:
    moved = accumulators + fit.bias_shift[:, None]
    return np.asarray(fit.offset[:, None] + (moved * fit.multiplier[:, None] >> 32))


def _unbounded(layer: Requantization, accumulators: Int64Array) -> Int64Array:
    """`fixed_point.multiply` and the zero point for [channels, any]."""
    shifted = accumulators << np.maximum(layer.shift, 0)[:, None]
    high = (shifted * layer.mantissa[:, None] + 2**30) >> 31
    e = np.maximum(-layer.shift, 0)[:, None]
    mask = (1 << e) - 1
    rounded: Int64Array = (high >> e) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded + layer.zero_point


def _ends(layer: Requantization) -> Int64Array:
    """The smallest and the largest accumulator, [channels, 2]."""
    return np.stack([layer.lo, layer.hi], axis=1)


def _inside_int32(values: Int64Array) -> BoolArray:
    return np.asarray((values >= INT32_MIN) & (values <= INT32_MAX))


def _is_int32(values: Int64Array) -> bool:
    return bool(_inside_int32(values).all())
