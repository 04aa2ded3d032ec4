"""What is known of a kernel of TensorFlow Lite Micro: how it is registered and what it accepts."""

from dataclasses import dataclass

from tinydeploy.engines.constraint import Constraint


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A registration of a kernel that links less code than its op's usual one, and the header that declares it.

    ``header`` is by name below tensorflow/lite/micro/kernels.
    """

    function: str
    header: str


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """An op kind that TensorFlow Lite Micro runs with integers.

    ``add`` is the method of MicroMutableOpResolver that registers it. ``constraints`` hold for its reference kernel
    and all others; ``cmsis_nn`` are what CMSIS-NN's kernel asks for besides. ``int8`` is the registration for ops
    whose operands are all int8 (with int32 biases), where there is one.
    """

    kind: str
    add: str
    constraints: tuple[Constraint, ...]
    cmsis_nn: tuple[Constraint, ...] = ()
    int8: Registration | None = None


def row(kind: str, add: str, *constraints: Constraint, cmsis_nn: tuple[Constraint, ...] = (), int8: str = "") -> Kernel:
    """A row of the table of kernels. ``int8`` is the header that declares ``Register_KIND_INT8()``, if there is one."""
    registration = Registration(function=f"Register_{kind}_INT8", header=int8) if int8 else None
    return Kernel(kind=kind, add=f"Add{add}", constraints=constraints, cmsis_nn=cmsis_nn, int8=registration)
