"""A run written down, a line of JSON for each result, and read again to compare another one with it.

The first line says of what the record is. Lines are whole or, where the writer was killed, the last one is not, which
is left out when it is read.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinydeploy import __version__
from tinydeploy.errors import UsageError
from tinydeploy.link.hello import Hello
from tinydeploy.monitor.histogram import Histogram
from tinydeploy.monitor.snapshot import Against, Unit

_FORMAT = 1
_NOT_ONE = "give a file that `tinydeploy monitor --record` wrote"


@dataclass(frozen=True, kw_only=True)
class Record:
    """An earlier run. ``outputs`` has the bytes of each result by its number, ``latencies`` are in ``unit``."""

    header: Mapping[str, object]
    unit: str
    outputs: Mapping[int, bytes]
    latencies: tuple[float, ...]


def header_of(hello: Hello, samples: list[bytes], unit: Unit) -> dict[str, object]:
    """What a record is of. ``samples`` are the inputs as they travel, in the order in which they repeat."""
    return {
        "record": _FORMAT,
        "tinydeploy": __version__,
        "board": hello.board,
        "engine": hello.engine,
        "build_id": hello.build_id.hex(),
        "model_sha256": hello.model_sha256,
        "samples": len(samples),
        "samples_sha256": hashlib.sha256(b"".join(samples)).hexdigest(),
        "unit": unit,
    }


def line_of(number: int, sample: int, output: bytes, latency: float, at_s: float) -> dict[str, object]:
    """A result: its number, that of its input, and when it was there, in seconds from the beginning."""
    return {
        "n": number,
        "sample": sample,
        "output": base64.b64encode(output).decode(),
        "latency": latency,
        "at": round(at_s, 6),
    }


def as_line(values: Mapping[str, object]) -> bytes:
    """A line of the file."""
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def read_record(path: Path) -> Record:
    """Reads a record, up to its last whole line.

    Raises:
        UsageError: It cannot be read, or is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {path}: {reason}", hint="check the path") from error
    whole = data[: data.rfind(b"\n") + 1].splitlines()
    outputs: dict[int, bytes] = {}
    latencies = []
    try:
        header = _object(whole[0] if whole else b"null")
        unit = str(header["unit"])
        _require_format(header["record"])
        for line in whole[1:]:
            result = _object(line)
            outputs[int(result["n"])] = base64.b64decode(result["output"], validate=True)
            latencies.append(float(result["latency"]))
    except (ValueError, TypeError, KeyError) as error:
        place = {"line": str(len(latencies) + 2 if outputs or whole[1:] else 1)}
        raise UsageError(f"{path} is no record of a monitor", where=place, hint=_NOT_ONE) from error
    return Record(header=header, unit=unit, outputs=outputs, latencies=tuple(latencies))


def _require_format(number: object) -> None:
    if number != _FORMAT:
        raise ValueError(number)


def _object(line: bytes) -> dict[str, Any]:
    values = json.loads(line)
    if not isinstance(values, dict):
        raise TypeError(line)
    return values


class Comparison:
    """Another run beside a record, result by result."""

    def __init__(self, earlier: Record, header: Mapping[str, object]) -> None:
        """Raises UsageError where the two are not of the same model and the same inputs."""
        for key, what, hint in (
            ("model_sha256", "another model", "give a record of this model"),
            ("samples_sha256", "other samples", "give the --samples that it was recorded with"),
        ):
            if earlier.header.get(key) != header[key]:
                where = {"recorded": str(earlier.header.get(key)), "now": str(header[key])}
                raise UsageError(f"the earlier record is of {what}", where=where, hint=hint)
        self._earlier = earlier
        same_unit = earlier.unit == header["unit"]
        self._latency = Histogram(earlier.latencies).distribution() if same_unit else None
        self._compared = self._differ = 0
        self._first: int | None = None

    def add(self, number: int, output: bytes) -> None:
        """A result. Numbers that the record does not have count for nothing."""
        before = self._earlier.outputs.get(number)
        if before is None:
            return
        self._compared += 1
        if before != output:
            self._differ += 1
            self._first = number if self._first is None else self._first

    def against(self) -> Against:
        """What there is so far."""
        return Against(compared=self._compared, differ=self._differ, first=self._first, earlier=self._latency)
