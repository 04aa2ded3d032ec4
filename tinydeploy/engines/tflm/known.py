"""The versions of TensorFlow Lite Micro whose arena sizes are known, by what their sources are.

A row is added with the digests that `read_files` gives for a new version, once the sizes of that version are known.
"""

from tinydeploy.engines.tflm.library_files import LibraryFiles

# Commits of https://github.com/tensorflow/tflite-micro by `LibraryFiles.sizes_digest`: with each set of kernels, other
# sources are looked at.
_TFLM = {
    "b640d9a40798264fd0216ef32d3532aeaaa71adc2e8db43d506f31c9c23d8ed2": "90b983c2b",
    "925de7d99a79c6040c99fbdee154056c372a8a8a665df6689374338a287c0f9a": "90b983c2b",
}

# Commits of https://github.com/ARM-software/CMSIS-NN by `LibraryFiles.cmsis_nn_digest`: the version that upstream's own
# download script takes.
_CMSIS_NN = {
    "0dcadf7db44b753486698386a3109e732999a65f561ebca1397a995feffb62f7": "4ab83cc3",
}

# The versions of CMSIS-NN with which a version's sizes are known.
_KNOWN_TOGETHER = {("90b983c2b", "4ab83cc3")}


def known_version(files: LibraryFiles) -> str | None:
    """The version with these sources, as far as the size of an arena depends on them; None where it is not known."""
    version = _TFLM.get(files.sizes_digest.hex())
    if files.cmsis_nn_digest is None or version is None:
        return version
    cmsis_nn = _CMSIS_NN.get(files.cmsis_nn_digest.hex(), "")
    return version if (version, cmsis_nn) in _KNOWN_TOGETHER else None
