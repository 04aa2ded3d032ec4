"""What stands in a .tflite file, decoded and bounds-checked but not yet believed.

The schema's accessors trust their input: on damaged bytes they raise whatever Python raises, or return
nonsense. Everything is read through them once, within `guarded` and within a budget, so that no file makes
the reader crash, or take more time or memory than a small multiple of its size.
"""

import contextlib
import platform
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import BuildError, ModelError
from tinydeploy.model.next_steps import AGAIN, INSIDE, SMALLER
from tinydeploy.model.text import printable

Ints = tuple[int, ...]
# An object of the generated schema, which is untyped.
Table = Any

_DAMAGE = (struct.error, IndexError, ValueError, TypeError, OverflowError)
# Tables and vectors may be shared, so that a small file can describe a huge model. Honest files share next
# to none.
_BUDGET_PER_BYTE = 2
# Far above any model for a microcontroller: what is planned for them takes seconds, in part by their squares.
_MAX_TENSORS = 4_000
_MAX_OPS = 1_000


@dataclass(frozen=True, kw_only=True)
class RawTensor:
    """One tensor table. ``data`` is the tensor's buffer, empty where it has none."""

    name: str
    type_code: int
    shape: Ints
    signature: Ints
    data: npt.NDArray[np.uint8]
    scales: tuple[float, ...]
    zero_points: Ints
    axis: int
    has_details: bool
    is_variable: bool
    is_sparse: bool
    is_external: bool


@dataclass(frozen=True, kw_only=True)
class RawOp:
    """One operator table. ``options`` is the schema's table of them, positioned but unread, or None."""

    kind: str
    is_custom: bool
    inputs: Ints
    outputs: Ints
    intermediates: Ints
    options: Table


@dataclass(frozen=True, kw_only=True)
class RawModel:
    """The first subgraph of a file, and how many it has."""

    tensors: tuple[RawTensor, ...]
    ops: tuple[RawOp, ...]
    inputs: Ints
    outputs: Ints
    subgraphs: int


@contextlib.contextmanager
def guarded(what: str) -> Iterator[None]:
    """Turns what the schema's accessors raise on damaged bytes into a `ModelError` about ``what``."""
    try:
        yield
    except _DAMAGE as error:
        raise ModelError(
            f"the file is damaged or truncated: {what} cannot be read", hint="copy or convert the model again"
        ) from error


def decode(data: bytes) -> RawModel:
    """Decodes the bytes of a .tflite file.

    Raises:
        ModelError: The bytes are not a flatbuffer of the schema, or use a part of it that no engine here can.
        BuildError: The schema's package is not installed.
    """
    return _Decoder(data).decode()


class _Decoder:
    """One file being decoded: its schema, its bytes and what is left of the budget."""

    def __init__(self, data: bytes) -> None:
        # 0.1 s to import; only those commands pay that read a model.
        try:
            from ai_edge_litert import schema_py_generated as schema
        except ImportError as error:
            raise _no_litert(error) from error

        self.data = data
        self.schema = schema
        self.left = _BUDGET_PER_BYTE * len(data)
        self.kinds = _names(schema.BuiltinOperator)
        self.option_tables = _names(schema.BuiltinOptions)

    def decode(self) -> RawModel:
        """Reads everything; see `decode`."""
        with guarded("the header"):
            model = self.schema.Model.GetRootAs(self.data, 0)
            if model.Version() != 3:
                raise ModelError(f"schema version {model.Version()} is not supported, only 3", hint=AGAIN)
            if model.SubgraphsLength() == 0:
                raise ModelError("the model has no graph", hint=AGAIN)
            subgraph = model.Subgraphs(0)
            codes = [
                self._code(model.OperatorCodes(i))
                for i in self._tables(model.OperatorCodesLength(), "kinds of ops", _MAX_OPS)
            ]
        with guarded("the list of tensors"):
            tensors = self._tables(subgraph.TensorsLength(), "tensors", _MAX_TENSORS)
        with guarded("the list of ops"):
            operators = self._tables(subgraph.OperatorsLength(), "ops", _MAX_OPS)
        with guarded("the list of the graph's inputs and outputs"):
            inputs, outputs = self._ints(subgraph, "Inputs"), self._ints(subgraph, "Outputs")
        return RawModel(
            tensors=tuple(self._tensor(model, subgraph, index) for index in tensors),
            ops=tuple(self._op(subgraph, codes, index) for index in operators),
            inputs=inputs,
            outputs=outputs,
            subgraphs=model.SubgraphsLength(),
        )

    def _count(self, length: int, size: int = 4) -> int:
        """The length of a vector, its bytes taken from the budget."""
        self.left -= size * length
        if self.left < 0:
            raise OverflowError
        return length

    def _tables(self, length: int, what: str, most: int) -> range:
        """The indices of a vector of tables."""
        indices = range(self._count(length))
        if length > most:
            raise ModelError(f"the model has {length:,} {what}, at most {most:,} are supported", hint=SMALLER)
        return indices

    def _vector(self, table: Table, field: str, size: int) -> npt.NDArray[Any] | None:
        length = self._count(getattr(table, f"{field}Length")(), size)
        return getattr(table, f"{field}AsNumpy")() if length else None

    def _ints(self, table: Table, field: str, size: int = 4) -> Ints:
        vector = self._vector(table, field, size)
        return () if vector is None else tuple(vector.tolist())

    def _name(self, raw: bytes | None) -> str:
        text = (raw or b"")[:1024]
        self._count(len(text), 1)
        return text.decode("utf-8", "replace")

    def _code(self, table: Table) -> tuple[str, bool]:
        """The kind of op that an operator code stands for, and whether it is a custom one."""
        # Codes above 127 are only in the newer of the two fields, small ones maybe only in the older.
        code = max(table.BuiltinCode(), table.DeprecatedBuiltinCode())
        kind = self.kinds.get(code)
        if kind is None:
            raise ModelError(
                f"operator code {code} is unknown",
                hint="update ai-edge-litert, or convert with an older converter",
            )
        if kind != "CUSTOM":
            return kind, False
        custom = printable(self._name(table.CustomCode()))
        if custom in self.kinds.values():
            raise ModelError(
                f"a custom op is named like TensorFlow Lite's own {custom}", hint="give it a name of its own"
            )
        return custom, True

    def _tensor(self, model: Table, subgraph: Table, index: int) -> RawTensor:
        with guarded(f"tensor {index}"):
            table = subgraph.Tensors(index)
            quantization = table.Quantization()
            has_parameters = quantization is not None
            scales = self._vector(quantization, "Scale", 4) if has_parameters else None
            buffer, is_external = self._buffer(model, table.Buffer())
            return RawTensor(
                name=self._name(table.Name()),
                type_code=table.Type(),
                shape=self._ints(table, "Shape"),
                signature=self._ints(table, "ShapeSignature"),
                data=buffer,
                scales=() if scales is None else tuple(scales.tolist()),
                zero_points=self._ints(quantization, "ZeroPoint", 8) if has_parameters else (),
                axis=quantization.QuantizedDimension() if has_parameters else 0,
                has_details=has_parameters and quantization.DetailsType() != 0,
                is_variable=table.IsVariable(),
                is_sparse=table.Sparsity() is not None,
                is_external=is_external or table.ExternalBuffer() != 0,
            )

    def _buffer(self, model: Table, index: int) -> tuple[npt.NDArray[np.uint8], bool]:
        """A view of the buffer's bytes in the file, and whether its data are somewhere else."""
        if index >= model.BuffersLength():
            raise IndexError
        buffer = model.Buffers(index)
        view = buffer.DataAsNumpy() if buffer.DataLength() else np.empty(0, np.uint8)
        # Offsets 0 and 1 mean "not used" (schema.fbs); larger ones point past the flatbuffer.
        return view, buffer.Offset() > 1

    def _op(self, subgraph: Table, codes: list[tuple[str, bool]], index: int) -> RawOp:
        with guarded(f"op {index}"):
            table = subgraph.Operators(index)
            kind, is_custom = codes[table.OpcodeIndex()]
            if table.LargeCustomOptionsOffset() > 1:
                raise ModelError(
                    f"op {index} {kind} keeps its options outside the flatbuffer, which is not supported", hint=INSIDE
                )
            return RawOp(
                kind=kind,
                is_custom=is_custom,
                inputs=self._ints(table, "Inputs"),
                outputs=self._ints(table, "Outputs"),
                intermediates=self._ints(table, "Intermediates"),
                options=self._options(table),
            )

    def _options(self, operator: Table) -> Table:
        union = operator.BuiltinOptions()
        constructor: Callable[[], Any] | None = getattr(
            self.schema, self.option_tables.get(operator.BuiltinOptionsType(), ""), None
        )
        if union is None or constructor is None:
            return None
        table = constructor()
        table.Init(union.Bytes, union.Pos)
        return table


def _no_litert(error: ImportError) -> BuildError:
    return BuildError(
        "a tool is missing: ai-edge-litert, without which no model can be read",
        where={"python": f"{sys.executable} ({platform.machine()})", "reason": str(error)},
        hint="pip install ai-edge-litert; it exists for Linux (x86-64, arm64), macOS (arm64) and Windows (x86-64)",
    )


def _names(enumeration: type) -> dict[int, str]:
    return {code: name for name, code in vars(enumeration).items() if not name.startswith("_")}
