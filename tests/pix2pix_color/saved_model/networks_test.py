"""Every generator can be served: at sizes told at run time, with its noise."""

import functools
import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pix2pix_color.networks import encoder_unet, unet
from pix2pix_color.saved_model.load import LoadedModel
from pix2pix_color.saved_model.prediction import Seed
from pix2pix_color.saved_model.write import write_saved_model
from tests.pix2pix_color.vivid_model import smooth_photo

UNET = (unet.build_unet, 32)
RESNET = (functools.partial(encoder_unet.build_encoder_unet, "resnet18"), 64)


def build(kind, seed, **options):
    """A generator with noise, of random weights large enough to tell."""
    keras.utils.set_random_seed(3)
    make, size = kind
    generator = make(image_size=size, condition_channels=1, base_filters=2,
                     target_channels=2, step=seed, sampling=True, **options)
    for layer in generator.layers:
        if isinstance(layer, (keras.layers.Conv2D,
                              keras.layers.Conv2DTranspose)):
            layer.set_weights([weight / weight.std() / 6 if weight.std() else
                               weight for weight in layer.get_weights()])
    return generator


# Each option beside each generator, most beside each other.
@pytest.mark.parametrize("kind, norm, upsampling, noise_channels", [
    (UNET, "batch", "resize", 0), (UNET, "instance", "pixel_shuffle", 2),
    (UNET, "none", "transposed", 2), (RESNET, "batch", "pixel_shuffle", 2),
    (RESNET, "instance", "transposed", 0), (RESNET, "none", "resize", 2)])
def test_sizes_may_be_told_at_run_time(kind, norm, upsampling, noise_channels):
    seed = Seed()
    generator = build(kind, seed, norm=norm, upsampling=upsampling,
                      noise_channels=noise_channels)

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([1, None, None, 1]), tf.TensorSpec([], tf.int64)])
    def predict(condition, number):
        seed.value = number
        return generator.call(condition, training=False)

    size = kind[1]
    condition = np.random.default_rng(0).uniform(
        -1, 1, (1, size, size, 1)).astype(np.float32)
    number = tf.constant(5, tf.int64)
    told = predict(condition, number)
    seed.value = number
    known = generator(condition, training=False)
    assert np.std(known) > 0.05
    np.testing.assert_allclose(told, known, atol=1e-4)
    larger = predict(np.tile(condition, (1, 2, 2, 1)), number)
    assert larger.shape == (1, 2 * size, 2 * size, 2)

    # As Colorizer finds what is noisy.
    noisy = [layer for layer in generator.layers
             if getattr(layer, "sampling", False)]
    assert any("dropout" in layer.name for layer in noisy)
    assert any(layer.name == "noise" for layer in noisy) == bool(noise_channels)
    seed.value = number + 1
    other = generator(condition, training=False)
    assert np.abs(known - other).mean() > 1e-3
    for layer in noisy:
        layer.sampling = False
    without = generator(condition, training=False)
    seed.value = number
    np.testing.assert_allclose(generator(condition, training=False), without,
                               atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [UNET, RESNET],
                         ids=["unet", "resnet18_unet"])
def test_noise_channels_make_a_model_that_takes_a_seed(kind, tmp_path):
    seed = Seed()
    generator = build(kind, seed, noise_channels=2, dropout=0.0,
                      norm="instance", upsampling="pixel_shuffle")
    model = LoadedModel(
        write_saved_model(generator, str(tmp_path), seed=seed))
    assert model.has_noise
    photo = np.asarray(smooth_photo(40, 60))
    without, one, other, again = (
        model.colorize(photo, seed=number).astype(int)
        for number in (None, 1, 2, 1))
    assert without.shape == photo.shape
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).mean() > 0.5
    assert np.abs(one - without).mean() > 0.5
    larger = model.predict_field(photo, chroma_size=2 * model.image_size)
    assert larger.slope.shape[1] == 2 * model.image_size
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    png, = model.module.signatures["sample"](
        image_bytes=tf.constant([buffer.getvalue()]),
        seed=tf.constant([1], tf.int64))["colorized_bytes"].numpy()
    np.testing.assert_array_equal(Image.open(io.BytesIO(png)), one)
