"""The pace of this machine at this moment, so that a limit in seconds is the same to a slow machine and to a busy one.

python tests/pace.py     prints how long the fixed piece of work takes, some times over: `WORK_S` anew
"""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

WORK_S = 0.36
"""What `work_seconds` are on the machine on which the limits in the tests were set: two cores that do nothing else."""

TRIES = 3

_FUNCTION = """
int32_t sum_{number}(const int8_t *x, int32_t count)
{{
    int32_t sum = {number};
    for (int32_t i = 0; i < count; i++) {{
        sum += (x[i] * {number}) >> (i & 7);
        sum ^= x[count - i - 1] << 2;
    }}
    return sum;
}}
"""
_SOURCE = "#include <stdint.h>\n" + "".join(_FUNCTION.format(number=number) for number in range(1, 41))


def best_within(limit_s: float, attempt: Callable[[int], float]) -> float:
    """The shortest time of a few attempts, or the first that is within the limit; an attempt gives its seconds.

    They are seconds of the machine on which the limits were set: divided by `slowness` before or after the attempt,
    whichever is more. Other work on the machine, and a slower machine, lengthen both alike.
    """
    times: list[float] = []
    slow = slowness()
    while len(times) < TRIES and min(times, default=limit_s) >= limit_s:
        taken, before, slow = attempt(len(times)), slow, slowness()
        times.append(taken / max(before, slow))
        print(f"{taken:.3f} s at {before:.2f} and {slow:.2f} of a reference time: {times[-1]:.3f} s of {limit_s} s")
    return min(times)


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begin = monotonic()
    work()
    return monotonic() - begin


def slowness() -> float:
    """How many times longer a fixed piece of work takes now than on the machine of the limits; 1 at least."""
    return max(1.0, work_seconds() / WORK_S)


def work_seconds() -> float:
    """Work of the kind that a deployment is: two at a time start Python and compile C for a board."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        (Path(folder) / "work.c").write_text(_SOURCE, encoding="utf-8")
        begin = monotonic()
        list(pool.map(_work, (folder, folder), ("a.o", "b.o")))
        return monotonic() - begin


def _work(folder: str, output: str) -> None:
    compile_it = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2", "-c", "work.c", "-o", output]
    for command in ([sys.executable, "-c", "import numpy"], compile_it):
        subprocess.run(command, cwd=folder, check=True)


if __name__ == "__main__":
    print(sorted(f"{work_seconds():.3f} s" for _ in range(20)))
