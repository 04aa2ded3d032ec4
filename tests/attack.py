"""One hostile model through the commands that read models, each in a forked process with limits, and what they left.

The process that imports this has everything imported that a command needs, so that a command costs a fork. What a
command may do:

- end with exit code 0, 2 (a float model, which needs samples), 3 or 4, an error with facts, place and next step; with
  no signal and no other code.
- take 10 s of processor time (RLIMIT_CPU; other work on the machine does not count) and 1 GiB of address space
  (RLIMIT_AS, of which Python and its libraries take 0.14).
- write into its own folder, and start no program and no connection (an audit hook ends it otherwise).
- write what `harmless` finds harmless, and C that compiles without a warning.
"""

import faulthandler
import gc
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import harmless
import numpy as np
from mutants import Mutant, mutant

import tinydeploy.budget.what_if
import tinydeploy.pipeline
import tinydeploy.report.budget
import tinydeploy.report.budget_files
import tinydeploy.report.plan
import tinydeploy.report.terminal  # noqa: F401 - imported once, before the forks
from tinydeploy import cli
from tinydeploy.boards import load_boards
from tinydeploy.errors import ModelError
from tinydeploy.files import data_dir

CPU_S = 10
WALL_S = 120
"""For what waits instead of computing; two processes share the machine with others."""
MEMORY_BYTES = 1 << 30

_ESCAPED, _RAISED = 97, 98
_ALLOWED = {"inspect": {0, 3}, "budget": {0, 2, 3, 4}, "generate": {0, 2, 3, 4}, "oracle": {0, 3}}
_STRICT = ("-Wall", "-Wextra", "-Werror")
_ARM = ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-std=c99", "-O1", *_STRICT)
_ARM_SHARE = 0.2
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect")
_CHANGING = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A mutant: of which model, with which seed."""

    model: str
    data: bytes
    seed: str

    def mutant(self) -> Mutant:
        return mutant(self.data, self.seed)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command's end. ``code`` is negative where a signal ended it; ``message`` is the error's first line."""

    verb: str
    words: tuple[str, ...]
    code: int
    message: str
    cpu_s: float
    rss_bytes: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a mutant; ``findings`` is empty where everything was as it has to be."""

    case: Case
    recipe: tuple[str, ...]
    ended: tuple[Ended, ...]
    findings: tuple[str, ...]


def attack(case: Case, folder: Path, *, oracle: bool = False) -> Result:
    """Runs the commands on a mutant in ``folder``, which is emptied before.

    With ``oracle``, a model that all of them take is given to the reference interpreter too.
    """
    shutil.rmtree(folder, ignore_errors=True)
    place = folder / "deep" / "er" / "work"
    place.mkdir(parents=True)
    made = case.mutant()
    (place / "m.tflite").write_bytes(made.data)
    ended, findings = [], []
    for words in _commands(random.Random(case.seed)):
        one = _run(place, words[0], words, lambda words=words: _command_line(words))
        ended.append(one)
        findings += [f"{words[0]}: {finding}" for finding in _judged(place, one)]
    if oracle and ended[0].code == 0:
        one = _run(place, "oracle", ("oracle",), lambda: _oracle(made.data))
        ended.append(one)
        findings += [] if one.code in _ALLOWED["oracle"] else [f"oracle: {_ending(one)}"]
    findings += _left(folder, place)
    if not findings and (place / "project").exists():
        findings += _compiled(place / "project", arm=random.Random(case.seed).random() < _ARM_SHARE)
    return Result(case=case, recipe=made.recipe, ended=tuple(ended), findings=tuple(findings))


def _commands(rng: random.Random) -> Iterator[tuple[str, ...]]:
    """The three commands; boards, engine and how the code is optimised differ from mutant to mutant."""
    ids = [board.id for board in load_boards()]
    aims = [word for board in rng.sample(ids, 2) for word in ("--board", board)]
    engine = ("--engine", rng.choice(("aot", "tflm")))
    optimize = ("--optimize", rng.choice(("speed", "size", "ram"))) if rng.random() < 0.3 else ()
    optimize = optimize if engine[1] == "aot" else ()
    plan = ("--plan",) if rng.random() < 0.3 else ()
    yield ("inspect", "m.tflite", *aims, *plan, "--json", "inspect.json")
    reports = [word for suffix in ("html", "md", "svg") for word in ("--report", f"budget.{suffix}")]
    yield ("budget", "m.tflite", *aims, *engine, *optimize, *reports, "--json", "budget.json")
    # The boards whose TensorFlow Lite Micro is a library that PlatformIO has to fetch: that of the virtual ones is not.
    fitting = ("nano33ble", "esp32s3", "esp32-idf") if engine[1] == "tflm" else tuple(ids)
    yield ("generate", "m.tflite", "--board", rng.choice(fitting), *engine, *optimize, "-o", "project")


def _run(place: Path, verb: str, words: tuple[str, ...], command: Callable[[], int]) -> Ended:
    """Runs a command in a forked process, to its end."""
    gc.freeze()  # the child's collector leaves alone what it shares
    pid = os.fork()
    if pid == 0:
        _child(place, verb, command)
    _, status, usage = os.wait4(pid, 0)
    return Ended(
        verb=verb,
        words=words,
        code=os.waitstatus_to_exitcode(status),
        message=_message((place / f"{verb}.err").read_text(encoding="utf-8", errors="replace")),
        cpu_s=usage.ru_utime + usage.ru_stime,
        rss_bytes=usage.ru_maxrss * 1024,
    )


def _child(place: Path, verb: str, command: Callable[[], int]) -> NoReturn:
    """What happens in the forked process."""
    code = _RAISED
    try:
        faulthandler.disable()  # what ends it is told by its exit code
        sys.dont_write_bytecode = True  # which would be a file outside
        os.chdir(place)
        for descriptor, name in ((1, f"{verb}.out"), (2, f"{verb}.err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.environ.update(HOME=str(place), TMPDIR=str(place), TINYDEPLOY_CACHE_DIR=str(place / "cache"), COLUMNS="120")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(WALL_S)
        if verb != "oracle":  # whose limits are its own: it starts a program that may take 1 GiB
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            sys.addaudithook(_guard(place))
        code = command()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _command_line(words: Sequence[str]) -> int:
    """As a user's process has it, signals and exit code included."""
    sys.argv = ["tinydeploy", *words]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)


def _guard(place: Path) -> Callable[[str, tuple[Any, ...]], None]:
    """Ends the process where it writes outside ``place``, or starts anything."""
    inside = f"{place}{os.sep}"

    def check(event: str, details: tuple[Any, ...]) -> None:
        if event in _STARTING:
            _escaped(f"{event} {details!r:.200}")
        paths: tuple[object, ...] = ()
        if event == "open" and isinstance(details[2], int) and details[2] & _WRITING:
            paths = details[:1]
        elif event in _CHANGING:
            paths = details[:2]
        for path in paths:
            if isinstance(path, str | bytes) and not f"{os.path.realpath(os.fsdecode(path))}{os.sep}".startswith(
                inside
            ):
                _escaped(f"{event} {path!r}")

    return check


def _escaped(what: str) -> NoReturn:
    os.write(2, f"\nerror: left its folder: {what}\n".encode())
    os._exit(_ESCAPED)


def _oracle(data: bytes) -> int:
    """The reference interpreter, as `verify` asks it: it may refuse a model, and nothing else."""
    from tinydeploy.model.reader import parse_model
    from tinydeploy.samples.made import default_samples
    from tinydeploy.verify.oracle import reference_outputs

    try:
        reference = reference_outputs(data, default_samples(parse_model(data, name="m.tflite")), timeout_s=30)
    except ModelError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    assert all(isinstance(output, np.ndarray) for output in reference.outputs)
    return 0


# What is judged


def _message(err: str) -> str:
    at = err.rfind("error: ")
    return err[at:].splitlines()[0] if at >= 0 else ""


def _ending(one: Ended) -> str:
    if one.code < 0:
        name = signal.Signals(-one.code).name
        limit = {"SIGXCPU": f" ({CPU_S} s of processor time)", "SIGALRM": f" ({WALL_S} s)"}.get(name, "")
        return f"ended by {name}{limit}"
    return f"exit code {one.code}: {one.message}"


def _judged(place: Path, one: Ended) -> Iterator[str]:
    """How it ended, and what it said."""
    if one.code not in _ALLOWED[one.verb]:
        yield _ending(one)
        return
    out, err = ((place / f"{one.verb}.{stream}").read_text(encoding="utf-8") for stream in ("out", "err"))
    for text in (out, err):
        yield from _checked(harmless.assert_text, text)
    if "Traceback" in err:
        yield "a traceback"
    if one.code == 3 or (one.code and not out):
        rows = {line.split()[0] for line in err[err.rfind("error: ") :].splitlines()[1:] if re.match(r"  \S", line)}
        if "try" not in rows or (len(rows) < 2 and "m.tflite" not in one.message):
            yield f"an error without its place or a next step: {one.message}"
    if len(one.message) > 400:
        yield f"a message of {len(one.message)} characters"


def _left(folder: Path, place: Path) -> Iterator[str]:
    """The files that the commands left: where they are, and what is in them."""
    own = {"m.tflite", "project", "cache", "inspect.json", "budget.json", "budget.html", "budget.md", "budget.svg"}
    own |= {f"{verb}.{stream}" for verb in _ALLOWED for stream in ("out", "err")}
    firmware = {path.name for path in data_dir("firmware").rglob("*.*")}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if not path.is_relative_to(place) or path.relative_to(place).parts[0] not in own:
            yield f"a file outside: {path.relative_to(folder)}"
        elif path.suffix not in {".out", ".err", ".tflite"} and path.name not in firmware:
            yield from (f"{path.relative_to(place)}: {what}" for what in _checked(harmless.assert_file, path))


def _checked(check: Callable[[Any], None], value: object) -> Iterator[str]:
    try:
        check(value)
    except Exception as error:  # parsers raise their own
        yield f"{type(error).__name__}: {error}"


def _compiled(project: Path, *, arm: bool) -> Iterator[str]:
    """The C of a model, with this machine's compiler for its syntax, and a share with the boards' to the end."""
    includes = [f"-I{project / path}" for path in ("include", "firmware/include", "firmware/kernels", "src")]
    includes += [f"-I{path}" for path in sorted((project / "firmware" / "kernels").glob("*/"))]
    model = project / "src" / "model.c"
    if model.exists():
        yield from _compiler("gcc", "-std=c99", "-fsyntax-only", *_STRICT, *includes, model)
        if arm:
            yield from _compiler(*_ARM, *includes, "-c", model, "-o", os.devnull)
    else:  # its other source needs the headers of TensorFlow Lite Micro
        data = project / "src" / "model_data.cc"
        yield from _compiler("g++", "-std=c++17", "-fsyntax-only", *_STRICT, *includes, data)


def _compiler(*command: str | Path) -> Iterator[str]:
    begin = time.monotonic()
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if finished.returncode:
        yield f"{command[0]}: {finished.stderr[:600]}"
    if time.monotonic() - begin > WALL_S:
        yield f"{command[0]} takes {time.monotonic() - begin:.0f} s"
