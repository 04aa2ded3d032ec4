"""The table in the example's README is what the script wrote, and the script still makes what the table is of."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "compression"


@pytest.fixture(scope="module")
def table():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        import table

        yield table
    sys.modules.pop("table", None)


@pytest.fixture(scope="module")
def rows(table):
    return {row.variant: row for row in table.load(EXAMPLE / "results.json")}


def test_the_readme_shows_the_rows_that_were_measured(table, rows):
    assert table.table(list(rows.values())) in (EXAMPLE / "README.md").read_text(encoding="utf-8")


def test_a_table_has_aligned_columns_and_figures_with_separators(table):
    figures = dict.fromkeys(table.Row.__dataclass_fields__, 1234567) | {"zeros": 0.5, "images": 4, "exact": True}
    shown = table.table(
        [table.Row(**figures | {"variant": name, "float_right": 3, "int8_right": 4}) for name in ("a", "longer")]
    )
    lines = shown.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].startswith("| ------- | -----: |")
    assert lines[2].startswith("| a       | 75.00% | 100.00% |  1,234,567 |   50% | 1,234,567 |")


def test_what_is_saved_is_what_is_loaded(table, rows, tmp_path):
    table.save(list(rows.values()), tmp_path / "rows.json")
    assert table.load(tmp_path / "rows.json") == list(rows.values())


def test_every_variant_ran_on_the_board_as_the_reference_says(rows):
    assert len(rows) == 8
    assert all(row.exact and row.images == 360 for row in rows.values())


def test_fewer_channels_are_a_smaller_and_faster_deployment_at_the_cost_of_an_image_or_two(rows):
    before, after = rows["baseline"], rows["channel pruning, half"]
    assert after.parameters < 0.45 * before.parameters
    assert after.arena_bytes <= 0.52 * before.arena_bytes  # the activations by half, not the scratch
    assert after.instructions < 0.7 * before.instructions
    assert after.flash_bytes < before.flash_bytes
    assert after.tflite_bytes < before.tflite_bytes
    assert before.int8_right - after.int8_right <= 2


def test_scattered_zeros_change_nothing_but_the_compressed_size(rows):
    before, after = rows["baseline"], rows["magnitude pruning, 70 %"]
    assert after.zeros == pytest.approx(0.7, abs=0.01)
    assert (after.tflite_bytes, after.arena_bytes) == (before.tflite_bytes, before.arena_bytes)
    assert after.instructions == pytest.approx(before.instructions, rel=1e-3)
    assert after.deflated_bytes < 0.8 * before.deflated_bytes


def test_rounding_in_training_is_worth_it_where_int8_fails_and_nowhere_else(rows):
    assert abs(rows["quantisation-aware"].int8_right - rows["baseline"].int8_right) <= 2
    assert rows["badly scaled, per tensor"].int8_right < 0.5 * rows["badly scaled, per tensor"].float_right
    assert rows["the same, quantisation-aware"].int8_right > 0.9 * rows["baseline"].int8_right


@pytest.fixture(scope="module")
def script():
    """The script, with TensorFlow as it was imported for other tests."""
    for package in ("tensorflow", "keras", "sklearn"):
        pytest.importorskip(package, reason="needs: pip install 'tinydeploy[convert]' scikit-learn")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE.parent / "digits"))
        patch.syspath_prepend(str(EXAMPLE))
        import compress_digits

        yield compress_digits
    for name in ("compress_digits", "table", "train"):
        sys.modules.pop(name, None)


def test_the_script_makes_the_variants_of_the_table(script, rows):
    data = script.load()
    data = replace(data, train_images=data.train_images[:64], train_labels=data.train_labels[:64])
    made = list(script.variants(data, script.Effort(share=0.01)))
    assert [variant.name for variant in made] == list(rows)
    for variant in made:
        row = rows[variant.name]
        assert variant.model.count_params() == row.parameters
        assert script.sparsity(variant.model) == pytest.approx(row.zeros, abs=1e-3)
        assert variant.per_channel == ("per tensor" not in row.variant and "the same" not in row.variant)


def test_a_badly_scaled_network_computes_the_same_in_floats(script):
    script.keras.utils.set_random_seed(0)
    model = script.build()
    images = script.load().test_images[:8]
    before = script.np.asarray(model(images, training=False))
    after = script.np.asarray(script.badly_scaled(model, 1)(images, training=False))
    assert script.np.abs(after - before).max() < 1e-5


@pytest.mark.usefixtures("warm_workers")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, while it saves
def test_half_the_channels_are_less_flash_and_fewer_instructions_on_the_board_here_and_now(script, tmp_path):
    data = script.load()
    data = replace(
        data,
        train_images=data.train_images[:64],
        train_labels=data.train_labels[:64],
        test_images=data.test_images[:6],
        test_labels=data.test_labels[:6],
    )
    # Weights as they begin: size and speed do not depend on them.
    script.keras.utils.set_random_seed(1)
    baseline = script.build()
    models = {"baseline": baseline, "channel pruning, half": script.prune_channels(baseline, keep=0.5)}
    before, after = (script.measure(script.Variant(name=name, model=models[name]), data, tmp_path) for name in models)
    assert before.exact
    assert after.exact
    assert after.instructions < 0.7 * before.instructions
    assert after.arena_bytes <= 0.52 * before.arena_bytes
    assert after.tflite_bytes < before.tflite_bytes
    # The weights alone: the code is the same but for its shapes.
    assert before.flash_bytes - after.flash_bytes > 0.5 * (before.parameters - after.parameters)
