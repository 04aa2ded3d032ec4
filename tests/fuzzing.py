"""libFuzzer on the firmware's C: what is compiled, where it begins, what is kept.

python tests/fuzzing.py SECONDS   fuzzes for that long, prints what was reached, and keeps what is new and small in
                                  tests/firmware/fuzz_corpus/
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from host_firmware import FIRMWARE, HOST_PARTS
from transcript import MACROS, read_transcript

CORPUS = HOST_PARTS / "fuzz_corpus"
LONGEST_BYTES = 512
BUFFERS = (1, 2)

_FLAGS = ["-std=c99", "-g", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
# Comparisons are not traced: it takes most of the time, and a script brings nothing that would have to be guessed.
_SANITIZE = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-fno-sanitize-coverage=trace-cmp"]
_PARTS = ("td_buffers", "td_crc", "td_device", "td_frame", "td_reply")  # the runner is included by the target

# Operations of a script: tests/firmware/fuzz_device.c, enum op; the number is in the upper five bits.
_TURN, _BYTES, _FRAME, _INPUT, _RESULT, _HELLO, _TRANSMIT, _APP = range(8)
_ALL = 31 << 3


def why_not() -> str:
    """Why nothing can be fuzzed on this machine; empty where it can."""
    if shutil.which("clang") is None:
        return "clang is not here"
    runtime = subprocess.run(["clang", "-print-runtime-dir"], capture_output=True, text=True, check=True).stdout.strip()
    return "" if list(Path(runtime).glob("libclang_rt.fuzzer-*.a")) else "clang's libclang-rt-dev is not here"


def compile_target(program: Path, *, buffers: int) -> Path:
    """The target for a device with so many buffers, with AddressSanitizer and UBSan."""
    sources = [HOST_PARTS / "fuzz_device.c", HOST_PARTS / "increment_model.c"]
    sources += [FIRMWARE / "src" / f"{part}.c" for part in _PARTS]
    includes = [f"-I{path}" for path in (HOST_PARTS, FIRMWARE / "include", FIRMWARE / "src")]
    defines = [f"-D{name}={value}" for name, value in {**MACROS, "TD_BUFFERS": buffers}.items()]
    subprocess.run(["clang", *_FLAGS, *_SANITIZE, *includes, *defines, *sources, "-o", program], check=True)
    return program


def fuzz(program: Path, corpus: Path, *, seconds: float, kept: Path | None = None, seed: int = 0) -> str:
    """Runs a target; gives what libFuzzer said. New inputs go to ``corpus``; those of ``kept`` are only read.

    Raises:
        AssertionError: It found something.
    """
    found = corpus.parent / "found-"
    options = [
        f"-max_total_time={round(seconds)}",
        f"-max_len={LONGEST_BYTES}",
        f"-seed={seed}",
        "-timeout=10",
        "-detect_leaks=0",
    ]
    options += ["-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={found}"]
    folders = [corpus, *([kept] if kept else [])]
    done = subprocess.run([program, *options, *folders], capture_output=True, text=True, check=False, errors="replace")
    scripts = [path.read_bytes().hex() for path in corpus.parent.glob("found-*")]
    assert done.returncode == 0, f"{program.name} with the scripts {scripts}:\n{done.stderr[-6000:]}"
    return done.stderr


def executions(said: str) -> int:
    """How many scripts were run."""
    numbers = re.findall(r"stat::number_of_executed_units: (\d+)", said)
    return int(numbers[-1])


def reached(said: str) -> str:
    """The last line about coverage: edges (cov) and features (ft)."""
    return [line for line in said.splitlines() if " cov: " in line][-1]


def seeds() -> list[bytes]:
    """Scripts to begin with: the recorded conversations byte for byte, and each operation."""
    found = []
    for turns in read_transcript().values():
        script = bytearray()
        for turn in turns:
            for at in range(0, len(turn.host), 32):
                part = turn.host[at : at + 32]
                script += bytes([(len(part) - 1) << 3 | _BYTES]) + part
            script += bytes([_TURN, _ALL | _TRANSMIT])
        found += [bytes(script[at : at + LONGEST_BYTES]) for at in range(0, len(script), LONGEST_BYTES)]
    inputs = b"".join(bytes([_INPUT | flags << 3, 16, 1]) for flags in (0, 1, 2, 3) for _ in range(3))
    turn = bytes([_TURN, _ALL | _TRANSMIT])
    hello = bytes([5 << 3 | _HELLO])
    found.append(hello + inputs + turn * 3 + bytes([1 << 3 | _RESULT, 0]) + turn)
    found += [hello + bytes([_FRAME, message, 6]) + bytes(6) + turn for message in range(1, 9)]
    found.append(bytes([_APP, _TURN, 1 << 3 | _APP, _TURN]) * 3 + hello + inputs + turn)
    return found


def main(seconds: float) -> None:
    """Fuzzes with each number of buffers in turn, then keeps the smallest corpus that reaches as much as all did."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        for script in seeds():
            (corpus / hashlib.sha1(script).hexdigest()).write_bytes(script)
        programs = [compile_target(folder / f"fuzz-{buffers}", buffers=buffers) for buffers in BUFFERS]
        for program in programs:
            said = fuzz(program, corpus, seconds=seconds / len(BUFFERS), kept=CORPUS if CORPUS.is_dir() else None)
            print(f"{program.name}: {executions(said):,} scripts; {reached(said)}", flush=True)
        _keep(programs, [corpus, *([CORPUS] if CORPUS.is_dir() else [])], folder)


def _keep(programs: list[Path], corpora: list[Path], folder: Path) -> None:
    merged = folder / "merged"
    merged.mkdir()
    for program in programs:  # by edges alone: with their counters, scripts that reach the same would be kept too
        merge = [program, "-merge=1", "-use_counters=0", f"-max_len={LONGEST_BYTES}", merged, *corpora]
        subprocess.run(merge, check=True, stderr=subprocess.DEVNULL)
    shutil.rmtree(CORPUS, ignore_errors=True)
    shutil.copytree(merged, CORPUS)
    sizes = [path.stat().st_size for path in CORPUS.iterdir()]
    print(f"kept {len(sizes)} scripts, {sum(sizes):,} B")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
