"""The state that training starts from: every option takes effect."""

import dataclasses
import itertools
import shutil

import keras
import numpy as np
import pytest
import safetensors.numpy

from data_pipelines.errors import UserError
from experiments.benchmarks import steps as benchmark
from pix2pix_color.config import Config, Data, Networks, Reporting, Training
from pix2pix_color.fast_keras import instance_norm
from pix2pix_color.networks import (discriminators, efficientnet_lite,
                                    encoder_unet, layers, resnet18, upsampling)
from pix2pix_color.training import run, train_state, train_step


def create(*, precision="float32", pretrained=True, **options):
    networks = Networks(**(dict(base_filters=2) | options))
    return train_state.TrainState.create(
        Config(data=Data(image_size=64), networks=networks),
        precision=precision, pretrained=pretrained)


def choices(name):
    return {field.name: field.metadata["choices"]
            for field in dataclasses.fields(Networks)}[name]


def test_every_choice_has_its_builder():
    assert choices("discriminator") == discriminators.KINDS
    assert choices("norm") == tuple(layers.NORMS)
    assert choices("upsampling") == ("auto", *upsampling.UPSAMPLINGS,
                                     encoder_unet.NEAREST)
    assert choices("efficientnet") == tuple(efficientnet_lite.VARIANTS)


@pytest.fixture(scope="module")
def mixtures():
    """States of both generators, each with all discriminators and norms."""
    return {(generator, discriminator, norm): create(
        generator=generator, discriminator=discriminator, norm=norm)
        for generator, norms in (
            ("unet", ("batch", "instance", "none")),
            ("resnet18_unet", ("instance", "none", "batch")))
        for discriminator, norm in zip(("patchgan", "pixel", "dcgan"), norms)}


def test_norms_are_the_same_in_both_networks(mixtures):
    for (generator, discriminator, norm), state in mixtures.items():
        for network in (state.generator, state.discriminator):
            kinds = {type(layer) for layer in network.layers
                     if layer.name.endswith("_norm")}
            assert len(kinds) == (norm != "none")
            assert (instance_norm.InstanceNormalization in kinds) == (
                norm == "instance")


def test_what_a_logit_judges(mixtures):
    fields = {"patchgan": 70, "pixel": 1, "dcgan": 64}
    for (_, discriminator, _), state in mixtures.items():
        assert discriminators.receptive_field(
            state.discriminator) == fields[discriminator]
    state = create(discriminator_layers=1)
    assert discriminators.receptive_field(state.discriminator) == 16


def test_work_is_counted_by_hand():
    pixel, whole = (benchmark.gflop_an_image(Config(
        data=Data(image_size=64),
        networks=Networks(base_filters=2, discriminator=name)))
        for name in ("pixel", "dcgan"))
    # A discriminator goes forward and back eight times in all.
    assert whole - pixel == pytest.approx(8 * 2e-9 * (
        16 * (32**2 * 3 * 2 + 16**2 * 2 * 4 + 8**2 * 4 * 8 + 4**2 * 8 * 16)
        + 16 * 16 - 64 * 64 * (3 * 2 + 2 * 4 + 4 * 1)), rel=1e-6)
    assert benchmark.gflop_an_image(Config()) == pytest.approx(86.2, abs=0.1)


@pytest.mark.parametrize("generator, option, kind", [
    ("unet", "auto", keras.layers.Conv2DTranspose),
    ("resnet18_unet", "auto", layers.PixelShuffle),
    ("unet", "pixel_shuffle", layers.PixelShuffle),
    ("resnet18_unet", "resize", keras.layers.UpSampling2D)])
def test_upsampling_is_the_generator_s_own_unless_it_is_chosen(
        generator, option, kind):
    state = create(generator=generator, upsampling=option)
    made = [layer for layer in state.generator.layers if isinstance(
        layer, (keras.layers.Conv2DTranspose, layers.PixelShuffle,
                keras.layers.UpSampling2D))]
    assert len(made) in (5, 6) and all(isinstance(one, kind) for one in made)


def test_noise_follows_the_state_s_own_step_and_seed():
    condition = np.zeros((1, 64, 64, 1), "f4")
    outputs = []
    for seed in (0, 1):
        state = train_state.TrainState.create(
            Config(data=Data(image_size=64), training=Training(seed=seed),
                   networks=Networks(base_filters=2, noise_channels=1)),
            precision="float32")
        noise = state.generator.get_layer("noise")
        for step in (0, 7):
            state.step.assign(step)
            outputs.append(noise(condition, training=True).numpy())
    for one, other in itertools.combinations(outputs, 2):
        assert np.abs(one - other).max() > 1.0


@pytest.mark.parametrize("generator, num_dropouts", [
    ("unet", 2), ("resnet18_unet", 2)])
@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_dropout_has_the_chosen_rate(generator, num_dropouts, rate):
    rates = [layer.rate for layer in create(
        generator=generator, dropout=rate).generator.layers
        if isinstance(layer, layers.Dropout)]
    assert rates == [rate] * num_dropouts * (rate > 0)


@pytest.mark.parametrize("synchronized", [True, False])
def test_norms_are_synchronized_as_it_was_chosen(monkeypatch, synchronized):
    asked, plain = [], layers.batch_norm

    def noted(**options):
        asked.append(options["synchronized"])
        return plain(**options)

    monkeypatch.setitem(layers.NORMS, "batch", noted)
    train_state.TrainState.create(
        Config(data=Data(image_size=32), networks=Networks(base_filters=1),
               training=Training(sync_batch_norm=synchronized, ema_decay=0.0)),
        precision="float32")
    assert asked == [synchronized] * (3 + 4 + 3)


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    """A file of encoder weights, those of another generator."""
    state = create(generator="resnet18_unet")
    named = {}
    for layer in state.generator.layers:
        if layer.name.startswith(resnet18.PREFIX) and layer.weights:
            name = layer.name.removeprefix(resnet18.PREFIX)
            kinds = (["weight"] if len(layer.weights) == 1 else
                     ["weight", "bias", "running_mean", "running_var"])
            for kind, weight in zip(kinds, layer.get_weights(), strict=True):
                weight = weight + np.float32(0.25)
                if weight.ndim == 4:
                    weight = np.transpose(weight, (3, 2, 0, 1)).copy()
                if name == "conv1":  # red, green and blue add up to gray
                    weight = np.repeat(weight / 3, 3, axis=1)
                named[f"{name}.{kind}"] = weight
    path = str(tmp_path_factory.mktemp("weights") / "encoder.safetensors")
    safetensors.numpy.save_file(named, path)
    return path


def test_the_encoder_begins_with_its_weights_unless_a_checkpoint_follows(
        weights_path):
    plain, pretrained, restored = (
        [variable.numpy() for variable in encoder_unet.encoder_variables(create(
            generator="resnet18_unet", **options).generator)]
        for options in ({}, dict(encoder_weights=weights_path),
                        dict(encoder_weights="/gone.pth", pretrained=False)))
    for before, after, same in zip(plain, pretrained, restored):
        np.testing.assert_allclose(after, before + 0.25, atol=1e-6)
        np.testing.assert_array_equal(same, before)


def run_config(workdir, steps, weights):
    return Config(
        data=Data(image_size=64, train_examples=2, eval_examples=1),
        networks=Networks(generator="resnet18_unet", base_filters=2,
                          encoder_weights=str(weights)),
        training=Training(steps=steps),
        reporting=Reporting(workdir=str(workdir)))


def test_a_run_whose_encoder_weights_are_gone_takes_no_folder(tmp_path):
    with pytest.raises(UserError, match="gone.pth: there is no such file"):
        run.fit(run_config(tmp_path / "run", 1, tmp_path / "gone.pth"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_goes_on_without_the_encoder_weights_that_it_began_with(
        tmp_path, weights_path):
    path = tmp_path / "mine.safetensors"
    shutil.copy(weights_path, path)
    run.fit(run_config(tmp_path / "run", 1, path))
    path.unlink()
    run.fit(run_config(tmp_path / "run", 2, path))
    assert (tmp_path / "run" / "export" / "2").is_dir()


def test_encoder_weights_that_are_gone_are_missed_at_the_start():
    with pytest.raises(UserError, match="--encoder_weights=/gone.pth: there "
                       "is no such file"):
        create(generator="resnet18_unet", encoder_weights="/gone.pth")


# Weights and optimizers.


def small(policy="float32", **training):
    """A state for 32 px, without dropout."""
    return train_state.TrainState.create(Config(
        data=Data(image_size=32), networks=Networks(
            base_filters=4, dropout=0.0),
        training=Training(**training)), precision=policy)


def arrays(part):
    return [np.asarray(variable).copy() for variable in part.variables]


def all_equal(one, other):
    return all(map(np.array_equal, one, other))


def test_the_seed_determines_the_initial_weights():
    one, same, other = (arrays(small(seed=seed).generator)
                        for seed in (0, 0, 1))
    assert all_equal(one, same) and not all_equal(one, other)


def test_the_served_generator_has_the_same_weights_in_float32():
    state = small("mixed_bfloat16", ema_decay=0.0)
    served = state.served_generator(Config(
        data=Data(image_size=32), networks=Networks(base_filters=4)))
    assert all_equal(served.get_weights(), state.generator.get_weights())
    assert {layer.compute_dtype for layer in served.layers} == {"float32"}


def test_adam_is_that_of_pix2pix():
    optimizer = train_state.make_adam(3e-4)
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (
        0.5, 0.999, 1e-8)
    assert float(optimizer.learning_rate) == pytest.approx(3e-4)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_forgotten_moments_are_those_of_a_new_adam(precision):
    state = small(precision, precision=precision)
    optimizer = state.generator_optimizer
    adam = getattr(optimizer, "inner_optimizer", optimizer)
    if adam is not optimizer:
        optimizer.dynamic_scale.assign(2.0**8)
    step = train_step.make_train_step(state)
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3))
    batch = np.split(noise.astype("f4"), [1], axis=-1)
    new = arrays(adam)
    step(*batch)
    others = arrays(state.discriminator_optimizer)
    assert not all_equal(new, arrays(adam))
    state.forget_generator_moments()
    assert all_equal(new, arrays(adam))
    assert all_equal(others, arrays(state.discriminator_optimizer))
    # Adam's first step is as long as its learning rate, for any gradient.
    before = arrays(state.generator)
    step(*batch)
    longest = max(np.abs(now - then).max() for now, then, variable in zip(
        arrays(state.generator), before, state.generator.variables)
        if variable.trainable)
    assert longest == pytest.approx(2e-4, rel=1e-2)
    if adam is not optimizer:
        assert float(optimizer.dynamic_scale) == 2.0**8
