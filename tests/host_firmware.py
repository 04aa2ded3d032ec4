"""The firmware's C, compiled for this machine with AddressSanitizer and UBSan, and lines to talk to it."""

import os
import random
import select
import subprocess
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent
FIRMWARE = TESTS.parent / "firmware"
HOST_PARTS = TESTS / "firmware"
APP = TESTS.parent / "templates" / "project" / "src" / "app.c"
FLAGS = ["-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pthread"]

INPUT_BYTES = 1000
SUM_BYTES = 640
BUILD_ID = bytes.fromhex("0123456789abcdef")
MODEL_SHA256 = "aabb" + "00" * 30


def compile_c(program: Path, *sources: Path, sanitize: str = "address,undefined", **macros: int) -> Path:
    """A program for this machine; macros replace those of tests/firmware/td_config.h."""
    includes = [f"-I{HOST_PARTS}", f"-I{FIRMWARE / 'include'}", f"-I{FIRMWARE / 'observe'}"]
    sanitizers = [f"-fsanitize={sanitize}", "-fno-sanitize-recover=all"]
    defines = [f"-D{name}={value}" for name, value in macros.items()]
    subprocess.run(["gcc", *FLAGS, *sanitizers, *includes, *defines, *sources, "-o", program], check=True)
    return program


def compile_firmware(
    program: Path, port: str, *, app: Path = APP, sanitize: str = "address,undefined", **macros: int
) -> Path:
    """The firmware of the increment model on ``port_threads`` or ``port_steps``."""
    parts = [HOST_PARTS / "increment_model.c", HOST_PARTS / f"{port}.c", app]
    parts += sorted((FIRMWARE / "observe").glob("*.c")) if "TD_OBSERVABLE" in macros else []
    return compile_c(program, *sorted((FIRMWARE / "src").glob("td_*.c")), *parts, sanitize=sanitize, **macros)


def random_inputs(count: int, seed: int = 1) -> list[bytes]:
    """Inputs that do not make the engine fail."""
    source = random.Random(seed)
    return [b"\1" + source.randbytes(INPUT_BYTES - 1) for _ in range(count)]


def expected_output(data: bytes, count: int, *, sum_bytes: int = SUM_BYTES) -> bytes:
    """What the increment model computes, as its ``count``-th inference since start."""
    return bytes((byte + 1) % 256 for byte in data[:sum_bytes]) + count.to_bytes(4, "little")


class Process:
    """A running firmware; a transport over its standard input and output."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if not select.select([self.stdout], [], [], timeout_s)[0]:
            return b""
        data = os.read(self.stdout, max_bytes)
        if not data:
            raise OSError("the firmware has gone")
        return data

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.stdin, data) :]

    def close(self) -> None:
        """Ends the firmware, and makes sure that no sanitizer had something to say."""
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            stream.close()
        assert self.process.stderr
        try:
            self.process.wait(timeout=60)
            said = self.process.stderr.read().decode(errors="replace")
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
        assert (self.process.returncode, said) == (0, ""), f"exit code {self.process.returncode}: {said}"


class Steps(Process):
    """The firmware on port_steps.c, a packet at a time; ``packets`` are those that went and what came back for each."""

    def __init__(self, program: Path) -> None:
        super().__init__(program)
        self.packets: list[tuple[bytes, bytes]] = []
        self._arrived = b""

    def step(self, data: bytes, most: int = 0xFFFF) -> bytes:
        """Hands bytes to the firmware, lets it do all there is to do, and gives what it sends, ``most`` of it now."""
        super().write(len(data).to_bytes(2, "little") + most.to_bytes(2, "little") + data)
        answer = self._exactly(int.from_bytes(self._exactly(2), "little"))
        self.packets.append((data, answer))
        return answer

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if not self._arrived:
            time.sleep(min(timeout_s, 0.01))
            self._arrived = self.step(b"")
        data, self._arrived = self._arrived[:max_bytes], self._arrived[max_bytes:]
        return data

    def write(self, data: bytes) -> None:
        self._arrived += self.step(data)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += super().read(size - len(data), 10.0) or b""
        return data
