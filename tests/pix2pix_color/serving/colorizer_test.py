"""The SavedModel: any image in, the same image in color out."""

import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import color as skimage_color

from data_pipelines import augment, color
from pix2pix_color.config import ConfigError
from pix2pix_color.networks import unet
from pix2pix_color.serving import colorizer, saved_model


def export(directory, color_space):
    """A model with a large random last layer, so that its colors are vivid."""
    keras.utils.set_random_seed(3)
    generator = unet.build_unet(
        image_size=32, condition_channels=1, base_filters=4,
        target_channels=color_space.target_channels)
    last = generator.get_layer("output")
    last.set_weights([1000 * weight for weight in last.get_weights()])
    return saved_model.write(generator, str(directory),
                             color_space=color_space)


@pytest.fixture(scope="module")
def export_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    assert export(directory, color.LAB) == str(directory / "1")
    return directory


@pytest.fixture(scope="module")
def signatures(export_dir):
    return tf.saved_model.load(str(export_dir / "1")).signatures


def photograph(height, width, seed=0):
    """A smooth colorful picture, uint8 [height, width, 3]."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (4, 5, 3))
    picture = Image.fromarray(coarse.astype(np.uint8))
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def encode(rgb, file_format="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, file_format, **options)
    return buffer.getvalue()


def colorize(signatures, *images):
    answer = signatures["serving_default"](image_bytes=tf.constant(images))
    return [np.asarray(Image.open(io.BytesIO(png)))
            for png in answer["colorized_bytes"].numpy()]


def lightness(rgb):
    return skimage_color.rgb2lab(rgb)[..., 0]


def test_signatures_are_those_of_the_contract(signatures):
    def spec(function):
        return ({name: (tuple(tensor.shape), tensor.dtype) for name, tensor
                 in function.structured_input_signature[1].items()},
                {name: (tuple(tensor.shape), tensor.dtype) for name, tensor
                 in function.structured_outputs.items()})

    assert set(signatures) == {"serving_default", "colorize", "predict_target"}
    assert spec(signatures["serving_default"]) == (
        {"image_bytes": ((None,), tf.string)},
        {"colorized_bytes": ((None,), tf.string)})
    assert spec(signatures["colorize"]) == (
        {"rgb": ((None, None, None, 3), tf.uint8)},
        {"rgb": ((None, None, None, 3), tf.uint8)})
    assert spec(signatures["predict_target"]) == (
        {"condition": ((None, 32, 32, 1), tf.float32)},
        {"target": ((None, 32, 32, 2), tf.float32)})


@pytest.mark.parametrize("height, width", [
    (32, 32), (48, 96), (97, 41), (11, 300), (1, 1), (2, 200), (640, 480)])
def test_size_and_lightness_are_those_of_the_input(signatures, height, width):
    photo = photograph(height, width)
    colored, = colorize(signatures, encode(photo))
    assert colored.shape == photo.shape and colored.dtype == np.uint8
    difference = np.abs(lightness(colored) - lightness(photo))
    assert difference.mean() < 0.5 and difference.max() < 2.0


def test_color_is_added_to_a_gray_photograph(signatures):
    gray = np.asarray(Image.fromarray(photograph(60, 80)).convert("L"))
    colored, = colorize(signatures, encode(gray))
    assert colored.shape == (60, 80, 3)
    assert np.abs(skimage_color.rgb2lab(colored)[..., 1:]).mean() > 5


def test_the_answer_does_not_depend_on_the_batch(signatures):
    images = [encode(photograph(30 + 9 * index, 50, seed=index))
              for index in range(5)]
    together = colorize(signatures, *images)
    for image, answer in zip(images, together):
        alone, = colorize(signatures, image)
        np.testing.assert_array_equal(alone, answer)


@pytest.mark.parametrize("file_format, options", [
    ("JPEG", {"quality": 95}), ("BMP", {}), ("WEBP", {"lossless": True}),
    ("JPEG", {"quality": 95, "progressive": True})])
def test_every_format_gives_the_size_and_lightness(
        signatures, file_format, options):
    image = encode(photograph(40, 56), file_format, **options)
    seen = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))
    colored, = colorize(signatures, image)
    assert colored.shape == (40, 56, 3)
    assert np.abs(lightness(colored) - lightness(seen)).mean() < 0.6


def test_the_rgb_signature_agrees_with_the_bytes(signatures):
    photo = photograph(50, 70)
    from_bytes, = colorize(signatures, encode(photo))
    from_rgb = signatures["colorize"](rgb=tf.constant(photo[np.newaxis]))
    np.testing.assert_array_equal(from_rgb["rgb"][0], from_bytes)


def test_bytes_that_are_no_image_are_an_invalid_argument(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError):
        colorize(signatures, b"not an image")


def test_the_model_loads_where_only_tensorflow_is(export_dir, tmp_path):
    code = (
        "import sys, json, tensorflow as tf;"
        "model = tf.saved_model.load(sys.argv[1]);"
        "image = tf.io.encode_png(tf.zeros([9, 7, 3], tf.uint8));"
        "answer = model.signatures['serving_default'](image_bytes=image[None]);"
        "png = tf.io.decode_png(answer['colorized_bytes'][0]);"
        "ours = {'pix2pix_color', 'data_pipelines', 'tensorflow_io'};"
        "print(json.dumps([png.shape.as_list(),"
        " sorted(ours & set(sys.modules))]))")
    output = subprocess.run(
        [sys.executable, "-c", code, str(export_dir / "1")], cwd=tmp_path,
        check=True, capture_output=True, text=True).stdout
    assert json.loads(output) == [[9, 7, 3], []]


def test_color_is_what_training_and_evaluation_would_make_of_it(signatures):
    """A second definition of L*, scales or decoding turns this red."""
    photo = tf.constant(photograph(32, 32)[np.newaxis])
    condition, _ = color.LAB.encode(photo)
    target = signatures["predict_target"](condition=condition)["target"]
    assert np.abs(target).max() > 0.3
    expected = color.LAB.decode(condition, target).numpy().astype(int)
    served = signatures["colorize"](rgb=photo)["rgb"].numpy()
    assert np.abs(served - expected).max() <= 1


def test_an_rgb_generator_is_asked_as_in_training_and_gives_its_chroma(
        tmp_path):
    """A second definition of the gray or of a*b* turns this red."""
    rgb_signatures = tf.saved_model.load(
        export(tmp_path, color.RGB)).signatures
    photo = photograph(32, 32)
    condition, _ = color.RGB.encode(photo)
    target = rgb_signatures["predict_target"](
        condition=condition[tf.newaxis])["target"][0]
    assert target.shape == (32, 32, 3)
    predicted = skimage_color.rgb2lab((target.numpy() + 1) / 2)
    assert np.abs(predicted[..., 0] - lightness(photo)).mean() > 5
    expected = color.lab_to_rgb(np.concatenate(
        [lightness(photo)[..., np.newaxis], predicted[..., 1:]],
        axis=-1).astype(np.float32)).numpy().astype(int)
    served = rgb_signatures["colorize"](
        rgb=photo[np.newaxis])["rgb"][0].numpy()
    # The predicted colors are rounded to 8 bits on the way.
    difference = np.abs(served - expected)
    assert difference.mean() < 1 and np.quantile(difference, 0.99) <= 3
    assert np.abs(lightness(served) - lightness(photo)).max() < 2.0


def test_the_network_sees_what_it_was_trained_on_at_any_size(signatures):
    photo = tf.constant(photograph(96, 96))
    small = augment.centre_square(photo, image_size=32)
    square, _ = colorizer.fit_square(photo, 32)
    np.testing.assert_array_equal(square, small)


def test_fit_square_keeps_the_aspect_ratio_and_mirrors_the_rest():
    picture = tf.reshape(tf.range(8, dtype=tf.int32), [2, 4, 1])
    square, (height, width) = colorizer.fit_square(
        tf.cast(picture, tf.uint8), 4)
    assert (int(height), int(width)) == (2, 4)
    np.testing.assert_array_equal(
        square[..., 0], [[0, 1, 2, 3], [4, 5, 6, 7]] * 2)


def test_versions_count_up_and_the_newest_is_found(export_dir, tmp_path):
    run = tmp_path / "run"
    for version in ("9", "10", "11.partial", "12"):
        (run / "export" / version).mkdir(parents=True)
        if version != "12":  # which holds something else
            (run / "export" / version / "saved_model.pb").touch()
    assert saved_model.find(str(run)) == str(run / "export" / "10")
    assert saved_model.find(str(export_dir)) == str(export_dir / "1")
    assert saved_model.find(str(export_dir / "1")) == str(export_dir / "1")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no SavedModel"):
        saved_model.find(str(tmp_path))


def test_a_damaged_model_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(ConfigError, match="--model=.* cannot be loaded: "):
        saved_model.load(str(tmp_path))
