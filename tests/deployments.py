"""Deployments as the pipeline makes them, of a real plan and with figures of the test's choice; no board takes part."""

from dataclasses import replace
from pathlib import Path

from small_models import small_model

from tinydeploy.bench import Latency
from tinydeploy.boards import find_board
from tinydeploy.deployment import Deployment, Target
from tinydeploy.engines import ENGINES
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.image import Image
from tinydeploy.link.hello import Arena
from tinydeploy.model.reader import read_model
from tinydeploy.plan import Plan, make_plan
from tinydeploy.verify.compare import Comparison

ORACLE = "TensorFlow Lite Micro (tflite-micro 0.dev20261023182759)"


def plan_of(model: Path, board: str = "qemu-cortex-m4", *, buffers: int = 2, **engine: object) -> Plan:
    """A plan of the aot engine, in which the named facts of the engine are others."""
    graph = read_model(model)
    planned = ENGINES["aot"].planner(graph, EngineSettings())(find_board(board))
    return make_plan(replace(planned, **engine), find_board(board), buffers=buffers)


def tflm_plan(model: Path, board: str = "qemu-cortex-m4", **engine: object) -> Plan:
    """A plan as the tflm engine makes it."""
    facts = {
        "engine": "tflm",
        "kernels": "optimized",
        "library": "TensorFlow Lite Micro 90b983c2b with CMSIS-NN",
        "library_identity": "tflm-90b983c2b-cmsis_nn",
        "arena_bytes": 22_820,
        "arena_reserved_bytes": 22_832,
        "peak": None,
        "ways": (),
    }
    return plan_of(model, board, **(facts | engine))


def write_model(folder: Path, name: str = "small.tflite") -> Path:
    """A model that is planned in no time: one fully connected layer."""
    path = folder / name
    path.write_bytes(small_model())
    return path


def deployment_of(model: Path, plan: Plan, **changed: object) -> Deployment:
    """A verified deployment, in which the named fields are others."""
    deployment = Deployment(
        model=model,
        target=Target(board=plan.board.id, buffers=plan.buffers),
        conversion=None,
        plan=plan,
        image=Image(elf=Path("firmware.elf"), flash_bytes=14_056, ram_bytes=5_968, model_bytes=5_516),
        comparison=Comparison(
            oracle=ORACLE,
            samples=16,
            values=48,
            tolerance=0,
            passed=True,
            differing_values=0,
            differing_samples=0,
            max_abs_diff=0,
            first_difference=None,
            accuracy=None,
        ),
        latency=Latency(per_inference=1_000, unit="instructions", layers=(900,) * len(plan.graph.ops)),
        streaming=None,
        arena=Arena(
            used_bytes=plan.engine.arena_bytes, reserved_bytes=plan.engine.arena_reserved_bytes, smallest_bytes=None
        ),
        stack_bytes=412,
        kept=None,
        notes=(),
        seconds={"plan": 0.1, "total": 0.1},
    )
    return replace(deployment, **changed)
