"""Random models of one op each: compiled, run under sanitizers and compared with TFLM's interpreter bit for bit."""

import pytest
from host_engine import check_on_host
from random_graphs import KINDS, random_op_model

_MODELS_A_KIND = 12


@pytest.mark.parametrize("kind", KINDS)
def test_random_models_of_one_op_agree_with_tflm(kind):
    check_on_host([random_op_model(kind, seed) for seed in range(_MODELS_A_KIND)])
