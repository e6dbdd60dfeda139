"""--initial_weights: a run that begins where another generator stands."""

import dataclasses

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from data_pipelines.errors import UserError
from pix2pix_color import config_flags
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.networks import weights_file
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.saved_model import trained
from pix2pix_color.training import initial_weights
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_state import TrainState

SMALL = Config(data=Data(image_size=32), networks=Networks(base_filters=2),
               training=Training(seed=3))


def new_state(config=SMALL, **training):
    return TrainState.create(dataclasses.replace(
        config, training=dataclasses.replace(config.training, **training)),
        precision="float32")


def assert_same(weights, expected, **tolerance):
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


def begin(weights, config=SMALL):
    """A new state that begins with what the flag names."""
    config = dataclasses.replace(config, networks=dataclasses.replace(
        config.networks, initial_weights=str(weights)))
    tensors = initial_weights.read_initial_weights(config)
    state = TrainState.create(config, precision="float32")
    initial_weights.assign_initial_weights(state, tensors)
    return state


def test_a_file_brings_generator_and_average_to_its_weights(tmp_path):
    other = new_state(seed=7)
    path = tmp_path / "generator.safetensors"
    path.write_bytes(weights_file.generator_to_bytes(
        other.generator, flags=config_flags.config_to_text(SMALL)))
    state = begin(path)
    expected = other.generator.get_weights()
    assert_same(state.generator.get_weights(), expected, rtol=1e-3, atol=1e-6)
    assert_same(state.average.get_weights(), expected, rtol=1e-3, atol=1e-6)
    assert config_flags.config_from_text(weights_file.read_flags(
        str(path), flag=""), origin="") == SMALL


def test_a_run_brings_its_average(tmp_path):
    other = new_state(seed=7)
    other.average.set_weights([
        weight + 1 for weight in other.average.get_weights()])
    folder = RunFolder(str(tmp_path / "run"))
    folder.claim(SMALL)
    Checkpoints(other, config=SMALL, directory=folder.checkpoints_dir,
                keep=1).save(Journal())
    assert_same(begin(folder.path).generator.get_weights(),
                other.average.get_weights())


def test_the_trained_colorizer_is_known_by_its_name():
    path, _ = trained.read_trained(flag="")
    state = begin("colorizer", Config(
        data=Data(image_size=64),
        networks=Networks(generator="efficientnet_unet")))
    assert_same([state.generator.get_layer("output").kernel],
                [safetensors.numpy.load_file(path)["output/kernel"]],
                rtol=1e-6)


@pytest.mark.parametrize("had, takes", [(False, True), (True, False),
                                        (True, True)])
def test_weights_with_and_without_hints_begin_the_other_kind(
        had, takes, tmp_path):
    def kind(hints):
        return Config(data=Data(image_size=64), networks=Networks(
            generator="efficientnet_unet", base_filters=8, hints=hints))

    given = new_state(kind(had), seed=7).generator
    for layer in given.layers:
        if layer.name.endswith("_hints"):
            layer.set_weights([weight + 1 for weight in layer.get_weights()])
    path = tmp_path / "generator.safetensors"
    path.write_bytes(weights_file.generator_to_bytes(
        given, flags="", half=False))
    begun = weights_file.named_variables(begin(path, kind(takes)).generator)
    expected = weights_file.named_variables(given)
    common = begun.keys() & expected.keys()
    assert_same([begun[name] for name in common],
                [expected[name] for name in common])
    for name in begun.keys() - common:
        if "hints" in name:
            assert not np.any(begun[name])


def test_what_does_not_fit_is_named():
    with pytest.raises(UserError, match=(
            r"^--initial_weights=colorizer does not fit this unet; \d+ missing "
            r"in the file: .*; \d+ unknown to the network: ")):
        begin("colorizer")


@pytest.mark.parametrize("weights", ["nowhere", "nowhere.safetensors"])
def test_what_is_not_there_is_said(weights):
    with pytest.raises(UserError, match=(
            f"--initial_weights={weights} must be colorizer, the folder of a "
            f"run, or a .safetensors file that exists")):
        begin(weights)


def test_an_encoder_of_its_own_would_be_ignored():
    with pytest.raises(UserError, match="exclude each other"):
        Config(data=Data(image_size=64), networks=Networks(
            generator="efficientnet_unet", encoder_weights="imagenet",
            initial_weights="colorizer"))


def test_half_precision_is_for_kernels_alone():
    generator = new_state().generator
    tensors = weights_file.named_variables(generator)
    stored = safetensors.numpy.load(weights_file.generator_to_bytes(
        generator, flags="x"))
    assert stored.keys() == tensors.keys()
    for name, tensor in stored.items():
        assert tensor.dtype == (np.float16 if tensor.ndim > 1 else np.float32)
    # 1x1 and transposed kernels keep their order.
    generator.set_weights([tf.random.normal(weight.shape).numpy()
                           for weight in generator.get_weights()])
    stored = safetensors.numpy.load(weights_file.generator_to_bytes(
        generator, flags="x", half=False))
    for name, variable in weights_file.named_variables(generator).items():
        np.testing.assert_array_equal(stored[name], variable.numpy())
