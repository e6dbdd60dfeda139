"""The SavedModel: any image in, the same image in color out."""

import collections
import functools
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import color as skimage_color
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from data_pipelines import color
from data_pipelines.errors import UserError
from pix2pix_color.networks import unet
from pix2pix_color.saved_model import load, write
from pix2pix_color.saved_model.module import Colorizer
from pix2pix_color.saved_model.prediction import Seed
from tests.pix2pix_color.vivid_model import build_vivid_generator, smooth_photo

MAX_PIXELS = 1_000_000  # of the model in conftest.py


@pytest.fixture(scope="module")
def signatures(export_dir):
    return tf.saved_model.load(str(export_dir / "1")).signatures


def photograph(height, width, seed=0):
    return np.asarray(smooth_photo(height, width, seed))


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

    assert set(signatures) == {"serving_default", "colorize", "predict_target",
                               "sample"}
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


def test_the_answer_does_not_depend_on_the_batch(signatures):
    images = [encode(photograph(30 + 9 * index, 150, seed=index))
              for index in range(8)]
    together = signatures["serving_default"](
        image_bytes=tf.constant(images))["colorized_bytes"].numpy()
    for index in (0, 3, 7):
        alone = signatures["serving_default"](
            image_bytes=tf.constant(images[index:index + 1]))
        assert alone["colorized_bytes"][0] == together[index]


@pytest.mark.parametrize("file_format, mode, options", [
    ("JPEG", "RGB", {"quality": 95}), ("BMP", "RGB", {}), ("PNG", "L", {}),
    ("WEBP", "RGB", {"lossless": True}),
    ("JPEG", "RGB", {"quality": 95, "progressive": True})])
def test_every_format_gives_the_size_and_lightness(
        signatures, file_format, mode, options):
    photo = np.asarray(smooth_photo(40, 56).convert(mode))
    image = encode(photo, file_format, **options)
    seen = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))
    colored, = colorize(signatures, image)
    assert colored.shape == (40, 56, 3)
    assert np.abs(lightness(colored) - lightness(seen)).mean() < 0.6
    assert np.abs(skimage_color.rgb2lab(colored)[..., 1:]).mean() > 5


def test_the_rgb_signature_agrees_with_the_bytes(signatures):
    photo = photograph(50, 70)
    from_bytes, = colorize(signatures, encode(photo))
    from_rgb = signatures["colorize"](rgb=tf.constant(photo[np.newaxis]))
    np.testing.assert_array_equal(from_rgb["rgb"][0], from_bytes)


def cut_off(image_bytes):
    return image_bytes[:len(image_bytes) // 2]


@pytest.mark.parametrize("bad, message", [
    (b"not an image", "not an image in a format that is read: JPEG, PNG"),
    (b"", "not an image in a format that is read"),
    (cut_off(encode(photograph(240, 250), "JPEG")), "truncated, damaged or"),
    (cut_off(encode(photograph(40, 50))), "truncated, damaged or"),
    (encode(photograph(40, 50), "JPEG")[:20], "not an image in a format"),
], ids=["text", "empty", "cut_jpeg", "cut_png", "jpeg_header"])
def test_a_malformed_image_is_named_by_its_index(signatures, bad, message):
    good = encode(photograph(30, 40))
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match=rf"image_bytes\[2\]: .*{message}"):
        colorize(signatures, good, good, bad, good)
    # And the model answers on.
    assert colorize(signatures, good)[0].shape == (30, 40, 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "WEBP"])
def test_too_large_an_image_is_refused_before_it_is_decoded(
        signatures, file_format):
    large = encode(np.zeros((1001, 1000, 3), np.uint8), file_format)
    with pytest.raises(tf.errors.InvalidArgumentError, match=(
            r"image_bytes\[1\]: 1000 x 1001 pixels, more than "
            r"--max_pixels=1000000 allowed")):
        colorize(signatures, encode(photograph(9, 9)), large[:5000])
    allowed = encode(np.zeros((1000, 1000, 3), np.uint8), file_format)
    assert colorize(signatures, allowed)[0].shape == (1000, 1000, 3)


def test_every_part_is_in_the_graph_once(export_dir):
    # The memory of a loaded graph depends on its number of operations.
    with open(export_dir / "1" / "saved_model.pb", "rb") as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    functions = model.meta_graphs[0].graph_def.library.function
    kinds = collections.Counter(
        re.sub(r"^__inference_(.*)_\d+$", r"\1", function.signature.name)
        for function in functions)
    # For its own size and for any, without noise and with it.
    assert kinds["generate"] == kinds["field"] == 4
    convolutions = [function.signature.name for function in functions
                    if any(node.op == "Conv2D" for node in function.node_def)]
    assert convolutions and all("generate" in name for name in convolutions)
    # A JPEG's size is read before it is decoded, and when it is.
    assert 2 == sum(node.op == "ExtractJpegShape" for function in functions
                    for node in function.node_def)
    assert not [name for name in kinds if "grad" in name]


@pytest.mark.parametrize("seed", [None, 5])
def test_a_program_that_takes_it_apart_gets_the_served_answer(
        export_dir, signatures, seed):
    photo = photograph(70, 90)
    module = tf.saved_model.load(str(export_dir / "1"))
    slope, intercept = module.predict_field(
        tf.constant(photo), tf.constant(32), tf.constant(seed or 0, tf.int64),
        tf.constant(seed is not None))
    image = tf.constant([encode(photo)])
    answer = (signatures["serving_default"](image_bytes=image) if seed is None
              else signatures["sample"](
                  image_bytes=image, seed=tf.constant([seed], tf.int64)))
    np.testing.assert_array_equal(
        module.recolor(tf.constant(photo), slope, intercept),
        tf.io.decode_png(answer["colorized_bytes"][0]))


def test_samples_differ_by_seed_and_repeat(signatures):
    photo = tf.constant([encode(photograph(40, 50))] * 3)
    one, other, again = signatures["sample"](
        image_bytes=photo, seed=tf.constant([1, 2, 1], tf.int64)
    )["colorized_bytes"].numpy()
    without = signatures["serving_default"](
        image_bytes=photo[:1])["colorized_bytes"][0].numpy()
    assert one == again and len({one, other, without}) == 3
    first, second = (np.asarray(Image.open(io.BytesIO(png)))
                     for png in (one, other))
    ab = [skimage_color.rgb2lab(rgb)[..., 1:] for rgb in (first, second)]
    assert np.abs(ab[0] - ab[1]).mean() > 1
    assert np.abs(lightness(first) - lightness(second)).mean() < 0.5


def test_the_card_tells_what_the_model_is(export_dir):
    card = load.read_card(str(export_dir / "1"))
    assert card["step"] == 7 and card["image_size"] == 32
    assert card["color_space"] == "lab" and card["has_noise"]
    assert card["max_pixels"] == MAX_PIXELS
    assert card["versions"]["tensorflow"] == tf.__version__
    assert card["parameters"] > 1000 and card["activation_bytes"] > 10_000


def test_warm_up_requests_are_answered(export_dir, signatures):
    path = str(export_dir / "1" / write.WARMUP)
    asked = []
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        asked.append(request.model_spec.signature_name)
        answer = signatures[asked[-1]](**{
            name: tf.constant(tf.make_ndarray(tensor))
            for name, tensor in request.inputs.items()})
        value, = answer.values()
        assert value.shape[0] == 1
    assert asked == ["serving_default", "colorize", "predict_target"]


def test_versions_are_taken_in_turn_and_nothing_half_written_stays(
        tmp_path, monkeypatch):
    def fail(path):
        raise OSError(28, "No space left on device")

    (tmp_path / "4").mkdir()
    written_now = tmp_path / ".1234.unfinished"
    written_now.mkdir()
    left_by_a_killed_export = tmp_path / ".5678.unfinished"
    (left_by_a_killed_export / "assets").mkdir(parents=True)
    os.utime(left_by_a_killed_export, (0, 0))
    generator = unet.build_unet(image_size=32, condition_channels=1,
                                target_channels=2, base_filters=1, dropout=0)
    module = Colorizer(generator, seed=Seed())
    monkeypatch.setattr(write, "Colorizer", lambda *_, **options: module)
    monkeypatch.setattr(tf.saved_model, "save",
                        lambda module, path, signatures: os.makedirs(path))
    write_next = functools.partial(write.write_saved_model, generator,
                                   str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(tf.io, "TFRecordWriter", fail)
        with pytest.raises(OSError, match="No space"):
            write_next()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        written_now.name, "4"]
    written_now.rmdir()
    assert write_next() == str(tmp_path / "5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["4", "5"]
    # Nor has a generator without noise a signature for it.
    card = load.read_card(str(tmp_path / "5"))
    assert not card["has_noise"]
    assert card["signatures"] == [
        "colorize", "predict_target", "serving_default"]


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


def test_an_rgb_generator_is_asked_as_in_training_and_gives_its_chroma():
    """A second definition of the gray or of a*b* turns this red."""
    rgb_signatures = Colorizer(
        build_vivid_generator(color_space=color.RGB),
        color_space=color.RGB).named_signatures
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


def test_the_newest_version_is_found(export_dir, tmp_path):
    run = tmp_path / "run"
    for version in ("9", "10", "11.partial", "12"):
        (run / "export" / version).mkdir(parents=True)
        if version != "12":  # which holds something else
            (run / "export" / version / "saved_model.pb").touch()
    assert load.find_saved_model(str(run)) == str(run / "export" / "10")
    (run / "export" / "0011").mkdir()
    (run / "export" / "0011" / "saved_model.pb").touch()
    assert load.find_saved_model(str(run)) == str(run / "export" / "0011")
    assert load.find_saved_model(str(export_dir)) == str(export_dir / "1")
    assert load.find_saved_model(str(export_dir / "1")) == str(export_dir / "1")


def test_folders_without_a_model_or_with_a_damaged_one_are_refused(tmp_path):
    with pytest.raises(UserError, match="holds no SavedModel"):
        load.find_saved_model(str(tmp_path))
    with pytest.raises(UserError, match="--model=.* card cannot be read .*; "
                       "use a SavedModel that `export` wrote"):
        load.read_card(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(UserError, match="--model=.* cannot be loaded: "):
        load.load_saved_model(str(tmp_path))
