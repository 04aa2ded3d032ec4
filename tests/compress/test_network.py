import pytest
from keras_here import keras
from small_networks import ALL, IMAGE, inputs_for, layers, outputs_of, randomised, same

from tinydeploy.compress.network import copied, network_of
from tinydeploy.errors import UsageError

HINT = "build it of layers with keras.Sequential or keras.Model(inputs, outputs), with an Input"


@pytest.mark.parametrize("network", ALL)
def test_a_copy_computes_the_same_and_shares_nothing(network):
    model = randomised(network())
    copy, inputs = copied(model), inputs_for(model)
    before = outputs_of(model, inputs)
    assert same(outputs_of(copy, inputs), before)
    assert [layer.name for layer in copy.layers if layer.weights] == [
        layer.name for layer in model.layers if layer.weights
    ]
    randomised(copy, seed=5)
    assert same(outputs_of(model, inputs), before)


def test_a_nested_model_is_taken_apart():
    dropping = keras.Sequential(
        [keras.Input(IMAGE), layers.Conv2D(4, 1, name="conv"), layers.Dropout(0.9)], name="inner"
    )
    image = keras.Input(IMAGE)
    model = randomised(keras.Model(image, layers.Conv2D(2, 1, name="conv")(dropping(image, training=False))))
    steps = network_of(model).steps
    assert [(step.kind, step.name) for step in steps[:1] + steps[2:]] == [
        ("Conv2D", "conv"),
        ("Conv2D", "other_conv"),
    ]
    inputs = inputs_for(model)
    copy = copied(model)
    assert same(outputs_of(copy, inputs), outputs_of(model, inputs))
    assert copy.count_params() == model.count_params()


def test_layers_that_are_derived_from_those_of_keras_are_not_taken_for_them():
    class Own(layers.Conv2D):
        pass

    image = keras.Input(IMAGE)
    network = network_of(keras.Model(image, Own(2, 1)(layers.ReLU()(image))))
    assert [step.kind for step in network.steps] == ["ReLU", ""]


def test_a_model_that_has_not_been_built_is_refused():
    with pytest.raises(UsageError) as raised:
        copied(keras.Sequential([layers.Dense(2)], name="early"))
    assert (raised.value.summary, raised.value.hint) == ("the model 'early' has not been built", HINT)


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(UsageError) as raised:
        copied(Own(name="mine"))
    assert (raised.value.summary, raised.value.hint) == ("Own 'mine' is not a functional model", HINT)
