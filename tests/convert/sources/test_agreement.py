"""How far a .tflite agrees with its source, with functions for both."""

import numpy as np
import pytest

from tinydeploy.convert.sources.workers import shared


@pytest.fixture
def agreement_db(monkeypatch):
    """Of a source that answers with the one, and a .tflite that answers with the other."""

    def measured(expected, found):
        monkeypatch.setattr(shared, "tflite_runner", lambda _data: lambda _inputs: {"output_0": np.float32(found)})
        converted = shared.Converted(
            data=b"",
            source="",
            inputs=[shared.Port(key="input_0", name="x", shape=(1, 3))],
            outputs=[shared.Port(key="output_0", name="y")],
            run=lambda _arrays: [np.float32(expected)],
        )
        (found_db,) = shared.agreements_db(converted)
        return found_db

    return measured


def test_agreement_is_the_ratio_of_signal_to_noise(agreement_db):
    assert agreement_db([[3, 4, 0]], [[3, 4, 0.5]]) == pytest.approx(20.0)
    assert agreement_db([[3, 4, 0]], [[3, 4, 0]]) == 150.0
    assert agreement_db([[0, 0, 0]], [[0, 0, 1]]) == -150.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_on_both_sides_is_not_counted(agreement_db, value):
    assert agreement_db([[3, 4, value]], [[3, 4, value]]) == 150.0
    assert agreement_db([[5, 0, value]], [[5, 0.5, value]]) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("one", "other"), [(1.0, np.nan), (1.0, np.inf), (1.0, -np.inf), (np.nan, np.inf), (-np.inf, np.inf)]
)
def test_a_number_on_one_side_alone_is_no_agreement_however_well_the_rest_agrees(agreement_db, one, other):
    assert agreement_db([[3, 4, one]], [[3, 4, other]]) == -150.0
    assert agreement_db([[3, 4, other]], [[3, 4, one]]) == -150.0
