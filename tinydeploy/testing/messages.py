"""What an assertion of a test says when it does not hold. Pure."""

from collections.abc import Mapping, Sequence

from tinydeploy.model.text import printable
from tinydeploy.plan import Plan
from tinydeploy.testing.classes import Classified
from tinydeploy.testing.failures import BudgetError, NumbersError
from tinydeploy.testing.figures import BYTES, Figure, Quantity
from tinydeploy.verify.compare import Comparison

_SHOWN_SAMPLES = 8


def device_text(plan: Plan) -> str:
    """Board and engine."""
    return f"{plan.board.id}, {plan.engine.engine} engine, {plan.engine.kernels} kernels"


def outputs_differ(comparison: Comparison, plan: Plan) -> NumbersError:
    """The device's outputs are not the reference's."""
    first = comparison.first_difference
    assert first is not None
    tensor = plan.graph.tensors[plan.graph.outputs[first.output]]
    place = f"sample {first.sample}, output {printable(tensor.name)}{list(first.index)}"
    values = f"device {first.device:g}, reference {first.reference:g}"
    if tensor.quantization is not None:
        device, reference = map(tensor.quantization.real, (first.device, first.reference))
        values += f"\nas reals: device {device:.6g}, reference {reference:.6g} (scale {tensor.quantization.scale:.6g})"
    allowed = f", {comparison.tolerance} allowed" if comparison.tolerance else ""
    return NumbersError(
        f"outputs differ from the reference: {comparison.differing_values:,} of {comparison.values:,} values, "
        f"in {comparison.differing_samples:,} of {comparison.samples:,} samples",
        where={
            "first": f"{place}: {values}",
            "largest": f"{comparison.max_abs_diff:g}{allowed}",
            "device": device_text(plan),
            "oracle": comparison.oracle,
        },
        hint="the layer that is wrong, and whose fault it is: "
        f"tinydeploy verify MODEL --board {plan.board.argument} --engine {plan.engine.engine} --localize",
    )


def accuracy_too_low(device: Classified, reference: Classified, minimum: float, plan: Plan) -> NumbersError:
    """Too few samples are classified as their labels say."""
    right, total = device.right, len(device.labels)
    rows = zip(device.places, device.labels, device.classes, strict=True)
    wrong = [f"sample {place}: label {label}, device {named}" for place, label, named in rows if label != named]
    more = [f"and {len(wrong) - _SHOWN_SAMPLES:,} more"] if len(wrong) > _SHOWN_SAMPLES else []
    is_models = reference.right <= right
    return NumbersError(
        f"accuracy {right / total:.2%} ({right:,} of {total:,} samples), at least {minimum:.2%} expected",
        where={
            "wrong": "\n".join([*wrong[:_SHOWN_SAMPLES], *more]),
            "reference": f"{reference.right:,} of {total:,} right",
            "device": device_text(plan),
        },
        hint="the reference is no better: it is the model, its conversion, or the samples"
        if is_models
        else "the reference does better: assert_matches_reference says where the device is wrong",
    )


def over_budget(
    figures: Mapping[Quantity, Figure], limits: Mapping[Quantity, int], broken: Sequence[Quantity], plan: Plan
) -> BudgetError:
    """Limits that are not kept, in the order of ``broken``."""
    rows: dict[str, str] = {name: _over(name, figures[name], limits[name]) for name in broken}
    count = f"{len(broken)} limits are" if len(broken) > 1 else "a limit is"
    kept = [quantity for quantity in limits if quantity not in broken]
    return BudgetError(
        f"{count} not kept: {', '.join(broken)}",
        where={**rows, **({"kept": ", ".join(kept)} if kept else {}), "device": device_text(plan)},
        hint=f"what takes it: tinydeploy budget MODEL --board {plan.board.argument} --report budget.html",
    )


def _over(quantity: Quantity, figure: Figure, limit: int) -> str:
    unit = " B" if quantity in BYTES else ""
    if figure.value is None:
        return f"not known ({figure.origin}), at most {limit:,}{unit} allowed"
    over = figure.value - limit
    share = f" ({over / limit:.1%})" if limit else ""
    return f"{figure.value:,}{unit} ({figure.origin}), at most {limit:,}{unit} allowed: {over:,}{unit} too many{share}"
