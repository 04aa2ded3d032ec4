"""Which kernels of a library a model needs: the others need not be compiled, which is most of a first build's time."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from tinydeploy.engines.interface import ProjectLibrary

_MANIFEST = PurePosixPath("tflm/library.json")
_AUDIO = PurePosixPath("tflm/signal")
_RESOLVER = PurePosixPath("tflm/tensorflow/lite/micro/micro_mutable_op_resolver.h")

# A kernel's source defines one of these for each op, and the resolver's methods name the ones that they add.
_DEFINITION = re.compile(rb"^(?:const )?TFLMRegistration[*&]? (?:\w+::)*(Register_\w+)\(\) *\{", re.MULTILINE)
_METHOD = re.compile(rb"^  TfLiteStatus (Add\w+)\(", re.MULTILINE)
_REGISTRATION = re.compile(rb"Register_\w+")


def with_kernels_of(library: ProjectLibrary, calls: Iterable[str]) -> ProjectLibrary:
    """The library, of whose kernels only those are compiled that calls of the op resolver (``AddConv2D()``) name.

    A source is left out where all that it registers are ops that nobody adds, or where it is of the audio front end,
    whose ops are custom ones; what else kernels share is compiled always.
    The library must be one whose manifest tinydeploy has written. It keeps its identity: objects of another model's
    kernels are used again.
    """
    needed = _registrations(library.files[_RESOLVER], calls)
    unused = [path.relative_to("tflm") for path in _sources_without(needed, library.files)]
    manifest = json.loads(library.files[_MANIFEST])
    manifest["build"]["srcFilter"] += [f"-<{path}>" for path in sorted(unused)]
    content = json.dumps(manifest, indent=2).encode() + b"\n"
    return replace(library, files={**library.files, _MANIFEST: content})


def _registrations(resolver: bytes, calls: Iterable[str]) -> frozenset[bytes]:
    """The registration functions behind the calls: the ones given, and those of the methods themselves."""
    begins = [*_METHOD.finditer(resolver)]
    ends = [*(match.start() for match in begins[1:]), len(resolver)]
    methods = {match[1]: resolver[match.start() : end] for match, end in zip(begins, ends, strict=True)}
    return frozenset(
        name
        for call in calls
        for text in (call.encode(), methods.get(call.partition("(")[0].encode(), b""))
        for name in _REGISTRATION.findall(text)
    )


def _sources_without(needed: frozenset[bytes], files: Mapping[PurePosixPath, bytes]) -> Iterator[PurePosixPath]:
    for path, content in files.items():
        if path.suffix == ".cc":
            defined = _DEFINITION.findall(content)
            if path.is_relative_to(_AUDIO) or (defined and needed.isdisjoint(defined)):
                yield path
