"""Attacks tinydeploy with damaged and hostile models: `make mutants COUNT=5000`.

    python tests/attack_models.py --count 5000 --seed 1       mutants of all models; what is found is kept
    python tests/attack_models.py --repeat hello_world:1.77   one of them again, with all that the commands say

The models are those of the tests (TINYDEPLOY_TEST_MODELS), the example, and random ones of one op. Exit code 1 where
something was found. `mutants` makes them, `attack` says what must not happen.
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: threads take address space, and a fork has none

import json
import multiprocessing
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import attack
import random_graphs

CHECKOUT = Path(__file__).resolve().parent.parent
DIGITS = CHECKOUT / "examples" / "digits" / "digits_int8.tflite"
MODELS = Path(os.environ.get("TINYDEPLOY_TEST_MODELS") or CHECKOUT.parent / "shared" / "models")

# How often each comes in a round: the time that a mutant takes grows with the model.
SHARES = {"hello_world": 5, "micro_speech": 4, "digits": 4, "kws": 3, "resnet8": 2, "ad01": 1, "vww": 1, "random": 4}
_ROUND = tuple(name for name, share in SHARES.items() for _ in range(share))
_ORACLE_EVERY = 8
_SHOWN_MESSAGES = 40


def model_bytes(name: str, seed: str) -> bytes | None:
    """A model to be mutated; None where it is not on this machine."""
    if name == "random":
        number = int(seed.split(".")[1])
        kind = random_graphs.KINDS[number % len(random_graphs.KINDS)]
        return random_graphs.random_op_model(kind, number) if number % 3 else random_graphs.random_graph(number)
    path = DIGITS if name == "digits" else MODELS / f"{name}_int8.tflite"
    return path.read_bytes() if path.is_file() else None


def case_of(name: str, seed: str) -> attack.Case | None:
    data = model_bytes(name, seed)
    return None if data is None else attack.Case(model=name, data=data, seed=seed)


def cases(count: int, seed: int) -> Iterator[attack.Case]:
    """So many mutants, the models mixed; those that are not on this machine are left out."""
    number = made = 0
    while made < count:
        case = case_of(_ROUND[number * 7 % len(_ROUND)], f"{seed}.{number}")
        number += 1
        if case is not None:
            made += 1
            yield case


def run(wanted: Iterator[attack.Case], folder: Path, *, processes: int) -> Iterator[attack.Result]:
    """The results as they come."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, mp_context=context, max_tasks_per_child=None) as pool:
        waiting = set()
        for number, case in enumerate(wanted):
            waiting.add(pool.submit(_attacked, case, folder, number % _ORACLE_EVERY == 0))
            if len(waiting) > 4 * processes:
                yield from _done(waiting)
        while waiting:
            yield from _done(waiting)


def _done(waiting) -> Iterator[attack.Result]:
    from concurrent.futures import FIRST_COMPLETED, wait

    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    waiting -= done
    for future in done:
        yield future.result()


def _attacked(case: attack.Case, folder: Path, oracle: bool) -> attack.Result:
    return attack.attack(case, folder / str(os.getpid()), oracle=oracle)


def keep(result: attack.Result, folder: Path) -> Path:
    """Writes a mutant that something was found with, and beside it what and how to repeat it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.case.model}-{result.case.seed}.tflite"
    path.write_bytes(result.case.mutant().data)
    lines = [
        *result.findings,
        "",
        *(f"recipe: {step}" for step in result.recipe),
        f"again: python tests/attack_models.py --repeat {result.case.model}:{result.case.seed}",
        *(f"again: python -m tinydeploy {' '.join(one.words)}" for one in result.ended),
    ]
    path.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def general(message: str) -> str:
    """A message without what is this model's own: names and numbers."""
    message = re.sub(r"\([^()]*\)", "(…)", message)
    return re.sub(r"-?\d[\d,x?.e+-]*", "N", message)[:110]


def summary(results: Sequence[attack.Result], seconds: float) -> str:
    """Outcomes, messages, and the most that a command took."""
    ends = [one for result in results for one in result.ended]
    codes = Counter((one.verb, one.code) for one in ends)
    told = Counter(general(one.message) for result in results for one in result.ended[:1] if one.code)
    slowest, fattest = max(ends, key=lambda one: one.cpu_s), max(ends, key=lambda one: one.rss_bytes)
    lines = [f"{len(results):,} mutants in {seconds:.0f} s; with findings: {sum(1 for r in results if r.findings):,}"]
    for verb in ("inspect", "budget", "generate", "oracle"):
        shown = [f"{code}: {count:,}" for (name, code), count in sorted(codes.items()) if name == verb]
        lines.append(f"  {verb:<9} exit codes  {'   '.join(shown)}")
    lines.append(f"  most      {slowest.cpu_s:.1f} s ({slowest.verb}), {fattest.rss_bytes >> 20} MiB ({fattest.verb})")
    lines.append("what inspect refused them with:")
    lines += [f"  {count:>5}  {message}" for message, count in told.most_common(_SHOWN_MESSAGES)]
    lines.append(f"  {max(0, len(told) - _SHOWN_MESSAGES):>5}  other messages")
    return "\n".join(lines)


def repeat(name: str, seed: str, folder: Path) -> int:
    """One mutant again, with everything that the commands said."""
    case = case_of(name, seed)
    assert case is not None, f"{name} is not on this machine"
    result = attack.attack(case, folder / "again", oracle=True)
    print("\n".join(result.recipe))
    for one in result.ended:
        print(
            f"\n$ tinydeploy {' '.join(one.words)}\nexit code {one.code}, {one.cpu_s:.2f} s, {one.rss_bytes >> 20} MiB"
        )
        for stream in ("out", "err"):
            print((folder / "again" / "deep" / "er" / "work" / f"{one.verb}.{stream}").read_text(errors="replace"))
    print("\n".join(result.findings) or "nothing found")
    return 1 if result.findings else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Attack tinydeploy with damaged and hostile models.")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--findings", type=Path, default=CHECKOUT / "build" / "mutants", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write a line for each mutant")
    parser.add_argument("--repeat", metavar="MODEL:SEED", help="run one mutant again, and show everything")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        if options.repeat:
            return repeat(*options.repeat.split(":"), Path(folder))
        begin, results = time.monotonic(), []
        lines = options.json.open("w", encoding="utf-8") if options.json else None
        for result in run(cases(options.count, options.seed), Path(folder), processes=options.processes):
            results.append(result)
            if lines:
                record = [result.case.model, result.case.seed, result.recipe, result.findings]
                record.append([[one.verb, one.code, one.message, one.cpu_s, one.rss_bytes] for one in result.ended])
                lines.write(json.dumps(record) + "\n")
            for finding in result.findings:
                print(f"{result.case.model}:{result.case.seed}: {finding}", flush=True)
            if result.findings:
                print(f"  kept: {keep(result, options.findings)}", flush=True)
            if len(results) % 250 == 0:
                print(f"{len(results):,} of {options.count:,}, {time.monotonic() - begin:.0f} s", flush=True)
    print(summary(results, time.monotonic() - begin))
    return 1 if any(result.findings for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
