"""Values among the bytes of channel planes."""

import numpy as np
import pytest

from tinydeploy.engines.aot.storage import Planes


def stored(planes: Planes, values: np.ndarray) -> bytes:
    """Byte by byte, as the class says; 99 everywhere else."""
    data = np.full(planes.nbytes, 99, np.int8)
    for (y, x, channel), value in np.ndenumerate(values):
        data[channel * planes.plane_bytes + planes.origin + y * planes.pitch + x] = value
    return data.tobytes()


@pytest.mark.parametrize(
    "planes",
    [
        Planes.compact(3, 4, 5),
        Planes.bordered(3, 4, 5, (1, 2, 3, 0)),
        Planes.bordered(3, 6, 7, (1, 1, 1, 1)).at_corner(4, 5),
    ],
)
def test_values_are_found_among_borders_and_gaps(planes):
    values = np.arange(60, dtype=np.int8).reshape(4, 5, 3)
    np.testing.assert_array_equal(planes.values(stored(planes, values)), values)


def test_fewer_bytes_than_the_planes_take_are_refused():
    planes = Planes.compact(3, 4, 5)
    with pytest.raises(ValueError, match="63 bytes, where the planes take 64"):
        planes.values(bytes(63))
