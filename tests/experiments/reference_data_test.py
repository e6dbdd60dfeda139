"""Photographs in other layouts, read back by the sources for them."""

import os

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver
from PIL import Image
from skimage import color as skimage_color

from data_pipelines import augment, color
from data_pipelines.errors import UserError
from data_pipelines.sources import open_source
from experiments import reference_data


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Nine smooth photographs of different sizes, the third unreadable."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(9):
        corners = random.uniform(50, 205, (2, 3, 3)).astype(np.uint8)
        Image.fromarray(corners).resize(
            (250 + number, 231), Image.Resampling.BICUBIC).save(
                folder / f"{number}.png")
    (folder / "2.png").write_bytes(b"no image")
    return folder


def load(source, index):
    return source.load(tf.constant(index, tf.int64)).numpy()


def readable(photos):
    source = open_source(f"folder:{photos}", flag="--data")
    return [load(source, index) for index in range(9) if index != 2]


def test_pairs_are_the_photographs_and_their_gray(photos, tmp_path, caplog):
    output = tmp_path / "pairs"
    assert reference_data.write_reference_data(
        kind="paired", data=f"folder:{photos}", output=str(output)) == 8
    assert "2.png: " in caplog.text
    assert sorted(os.listdir(output)) == ["color", "gray"]
    pairs = open_source(f"paired:{output}/gray,{output}/color", flag="--data")
    assert list(pairs.identities) == [f"{number}.jpg" for number in range(8)]
    for index, photo in enumerate(readable(photos)):
        pair = load(pairs, index).astype(int)
        assert np.abs(pair[..., :3] - photo).mean() < 1.5
        gray = color.given_gray(photo).numpy()[..., :1]
        assert np.abs(pair[..., 3:] - gray).mean() < 1
    assert os.listdir(tmp_path) == ["pairs"]


def test_kaggles_arrays_have_their_names_shapes_and_scaling(photos, tmp_path):
    output = tmp_path / "kaggle"
    assert reference_data.write_reference_data(
        kind="kaggle_npy", data=f"folder:{photos}", output=str(output)) == 8
    arrays = {str(path.relative_to(output)): np.load(path)
              for path in output.rglob("*") if path.is_file()}
    # Two fifths of nine, as many, and the rest, of which one was unreadable.
    assert {name: (values.shape, str(values.dtype))
            for name, values in arrays.items()} == {
        "l/gray_scale.npy": ((8, 224, 224), "uint8"),
        "ab/ab/ab1.npy": ((3, 224, 224, 2), "uint8"),
        "ab/ab/ab2.npy": ((3, 224, 224, 2), "uint8"),
        "ab/ab/ab3.npy": ((2, 224, 224, 2), "uint8")}
    squares = [augment.center_square(photo, image_size=224).numpy()
               for photo in readable(photos)]
    lab = skimage_color.rgb2lab(np.stack(squares))
    np.testing.assert_allclose(
        arrays["l/gray_scale.npy"], lab[..., 0] * 255 / 100, atol=0.51)
    np.testing.assert_allclose(
        np.concatenate([arrays[f"ab/ab/ab{part}.npy"] for part in (1, 2, 3)]),
        lab[..., 1:] + 128, atol=0.51)
    read = open_source(f"kaggle_npy:{output}", flag="--data")
    for index, square in enumerate(squares):
        assert np.abs(load(read, index).astype(int) - square).mean() < 1.5


@pytest.mark.parametrize("kind, data, message", [
    ("paired", "folder:{tmp}/bad", "none of its 1 photographs can be read"),
    ("kaggle_npy", "folder:{tmp}/bad", "1 photographs are too few for three"),
    ("kaggle_npy", "folder:{tmp}/few", "only 2 of 3 photographs can be read"),
])
def test_a_failure_leaves_no_files(tmp_path, kind, data, message):
    for name, count in (("bad", 0), ("few", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "z.png").write_bytes(b"no image")
        for number in range(count):
            Image.new("RGB", (9, 9)).save(tmp_path / name / f"{number}.png")
    with pytest.raises(UserError, match=message):
        reference_data.write_reference_data(
            kind=kind, data=data.format(tmp=tmp_path),
            output=str(tmp_path / "output"))
    assert sorted(os.listdir(tmp_path)) == ["bad", "few"]


def test_the_command_writes_the_embedded_photographs(tmp_path, capsys):
    output = tmp_path / "pairs"
    with flagsaver.as_parsed(kind="paired", output=str(output)):
        reference_data.main(["reference_data"])
    assert capsys.readouterr().out == f"64 photographs in {output}\n"
    assert sorted(os.listdir(output / "gray")) == [
        f"{number:02}.jpg" for number in range(64)]
