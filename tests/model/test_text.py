"""Untrusted text on its way to a terminal or into C."""

from hypothesis import given
from hypothesis import strategies as st

from tinydeploy.model.text import printable, shape_text


def test_ordinary_names_stay_as_they_are():
    assert printable("functional_1/conv2d/BiasAdd;x:0") == "functional_1/conv2d/BiasAdd;x:0"


def test_long_names_are_cut_with_dots():
    assert printable("a" * 61) == "a" * 57 + "..."
    assert printable("a" * 60) == "a" * 60


def test_nothing_printable_is_still_something():
    assert printable("") == "_"
    assert printable("  ") == "_"


@given(st.text())
def test_no_text_can_leave_a_comment_a_string_or_the_line(text):
    shown = printable(text, limit=20)
    assert 1 <= len(shown) <= 20
    assert all(" " <= char <= "~" for char in shown)
    assert not set(shown) & set('"\\*?%`')


def test_shapes_read_as_they_are_spoken():
    assert shape_text((1, 49, 10, 1)) == "1x49x10x1"
    assert shape_text(()) == "scalar"
