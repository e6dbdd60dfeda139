"""Gray and color photographs from two folders, paired by path."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image

from data_pipelines import color, pipeline
from data_pipelines.errors import UserError
from data_pipelines.sources import open_source


def save(path, value, size=(12, 10), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def open_paired(tmp_path):
    return open_source(f"paired:{tmp_path}/gray,{tmp_path}/color",
                       flag="--data")


def load(photos, index):
    return photos.load(tf.constant(index, tf.int64)).numpy()


def test_pairs_share_their_path_whatever_the_extension(tmp_path):
    for number, name in enumerate(("b", "a/c", "a/ d é")):
        save(tmp_path / "gray" / f"{name}.png", 10 + number, mode="L")
        save(tmp_path / "color" / f"{name}.bmp", (200, number, 0))
    photos = open_paired(tmp_path)
    assert list(photos.identities) == ["b.bmp", "a/ d é.bmp", "a/c.bmp"]
    assert photos.channels == 4
    assert [tuple(load(photos, index)[0, 0]) for index in range(3)] == [
        (200, 0, 0, 10), (200, 2, 0, 12), (200, 1, 0, 11)]


def test_files_without_a_partner_are_left_out_and_reported(tmp_path, caplog):
    save(tmp_path / "gray" / "both.png", 10, mode="L")
    save(tmp_path / "color" / "both.png", (1, 2, 3))
    save(tmp_path / "gray" / "only gray.png", 10, mode="L")
    save(tmp_path / "color" / "only color.png", (1, 2, 3))
    assert list(open_paired(tmp_path).identities) == ["both.png"]
    assert ("1 gray file(s) without a partner are left out: only gray.png"
            in caplog.text)
    assert ("1 color file(s) without a partner are left out: only color.png"
            in caplog.text)


def test_the_gray_photograph_is_resized_and_that_is_said(tmp_path, caplog):
    save(tmp_path / "gray" / "a.png", 77, size=(6, 5), mode="L")
    save(tmp_path / "color" / "a.png", (1, 2, 3), size=(12, 10))
    photos = open_paired(tmp_path)
    photo = load(photos, 0)
    assert photo.shape == (10, 12, 4) and (photo[..., 3] == 77).all()
    assert "of the first 1 pairs 1 differ in size, a.png first" in caplog.text


def test_sizes_are_compared_upright(tmp_path, caplog):
    save(tmp_path / "gray" / "a.png", 77, size=(12, 10), mode="L")
    (tmp_path / "color").mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (10, 12)).save(tmp_path / "color" / "a.jpg", exif=exif)
    assert load(open_paired(tmp_path), 0).shape == (10, 12, 4)
    assert "differ in size" not in caplog.text


def test_the_condition_is_the_given_gray_and_the_target_the_color(tmp_path):
    save(tmp_path / "gray" / "a.png", 119, size=(32, 32), mode="L")
    save(tmp_path / "color" / "a.png", (255, 0, 0), size=(32, 32))
    batches = pipeline.training_batches(
        open_paired(tmp_path), color_space=color.LAB, image_size=32,
        resize_size=32, part=pipeline.WorkerShard(1), seed=0)
    batch = next(iter(batches))
    # L* of gray 119 is 50.03; a* and b* of red are 80.09 and 67.20.
    np.testing.assert_allclose(batch.condition, 50.03 / 50 - 1, atol=1e-3)
    np.testing.assert_allclose(batch.target[0, 0, 0], [80.09 / 110, 67.2 / 110],
                               atol=1e-4)


@pytest.mark.parametrize("spec, message", [
    ("paired:gray", "paired takes two folders, paired:GRAY_DIR,COLOR_DIR"),
    ("paired:nowhere,color", "there is no folder 'nowhere'"),
    ("paired:gray,color", "have no file of the same path, apart from the ext"),
])
def test_wrong_folders_are_refused(tmp_path, monkeypatch, spec, message):
    save(tmp_path / "gray" / "a.png", 10, mode="L")
    save(tmp_path / "color" / "b.png", (1, 2, 3))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        open_source(spec, flag="--data")


def test_two_files_of_one_stem_are_refused(tmp_path):
    save(tmp_path / "gray" / "a.png", 10, mode="L")
    save(tmp_path / "gray" / "a.bmp", 10, mode="L")
    save(tmp_path / "color" / "a.png", (1, 2, 3))
    with pytest.raises(UserError, match="'a.bmp' and 'a.png' .* differ only"):
        open_paired(tmp_path)


def test_names_of_another_unicode_form_are_pairs(tmp_path):
    composed, decomposed = "\u00e9t\u00e9", "e\u0301te\u0301"
    save(tmp_path / "gray" / composed / f"{decomposed}.png", 10, mode="L")
    save(tmp_path / "color" / decomposed / f"{composed}.png", (1, 2, 3))
    assert list(open_paired(tmp_path).identities) == [
        f"{decomposed}/{composed}.png"]
    assert load(open_paired(tmp_path), 0)[0, 0].tolist() == [1, 2, 3, 10]
    save(tmp_path / "color" / decomposed / f"{decomposed}.png", (1, 2, 3))
    with pytest.raises(UserError, match="differ only in their extension or "
                       "Unicode form, so neither can be paired"):
        open_paired(tmp_path)
