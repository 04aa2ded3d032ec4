"""The firmware's SHA-256 against Python's."""

import hashlib
import random
import subprocess
from pathlib import Path

from host_firmware import FIRMWARE, HOST_PARTS, compile_c


def digests(program: Path, messages: list[bytes]) -> list[str]:
    packets = b"".join(len(message).to_bytes(2, "little") + message for message in messages)
    out = subprocess.run([program], input=packets, capture_output=True, check=True, timeout=60).stdout
    return [out[at : at + 32].hex() for at in range(0, len(out), 32)]


def test_every_length_around_a_blocks_end_and_long_messages_have_the_digest_that_python_computes(tmp_path: Path):
    program = compile_c(tmp_path / "sha256", HOST_PARTS / "sha256_filter.c", FIRMWARE / "src" / "td_sha256.c")
    source = random.Random(5)
    messages = [source.randbytes(size) for size in (*range(260), 1000, 4096, 65535)]
    assert digests(program, messages) == [hashlib.sha256(message).hexdigest() for message in messages]
    # FIPS 180-4's own example, from the standard's test vectors
    assert digests(program, [b"abc"]) == ["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
