"""Collections to prepare, and those that are refused."""

import io
import os

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_pipelines import split
from data_pipelines.errors import UserError
from data_pipelines.preparation import collection
from data_pipelines.sources import sample_photos
from tests.data_pipelines.preparation.scenes import (assert_is_scene, prepare,
                                                     read_back, read_report,
                                                     scene)


class TinyScenes(tfds.core.GeneratorBasedBuilder):
    """Five scenes; the third is gray, and the fourth equals the second."""

    VERSION = tfds.core.Version("1.0.0")
    url_infos = None

    def _info(self):
        return self.dataset_info_from_configs(
            disable_shuffling=True,
            features=tfds.features.FeaturesDict({
                "image": tfds.features.Image(shape=(None, None, 3))}))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number, seed in enumerate((0, 1, 2, 1, 4)):
            image = scene(seed)
            if number == 2:
                image = image.convert("L").convert("RGB")
            buffer = io.BytesIO()
            image.save(buffer, "PNG")
            yield number, {"image": buffer.getvalue()}


class TinyPixels(tfds.core.GeneratorBasedBuilder):
    """One picture of undecoded pixels."""

    VERSION = tfds.core.Version("1.0.0")
    url_infos = None

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({
                "image": tfds.features.Tensor(
                    shape=(None, None, 3), dtype=np.uint8, encoding="bytes")}))

    def _split_generators(self, dl_manager):
        return {"train": [(0, {"image": np.asarray(scene(0))})]}

    def _generate_examples(self):
        raise NotImplementedError


def test_results_of_colorize_are_left_out_and_named(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed, name in enumerate(("a.png", "a_colorized.png",
                                 "b_colorized.png")):
        scene(seed).save(photos / name)
    summary = prepare(f"folder:{photos}", tmp_path / "out")
    assert summary["rejected"] == {"result_of_colorize": 1}
    assert read_report(tmp_path / "out") == {
        "a_colorized.png": ("result_of_colorize",
                            "its photograph is beside it")}


def test_a_data_set_of_tfds_is_downloaded_first_and_then_read(
        tmp_path, capsys):
    data_dir = tmp_path / "tfds"
    summary = prepare("tfds:tiny_scenes", tmp_path / "out",
                      tfds_data_dir=str(data_dir))
    assert (f"tiny_scenes/1.0.0: downloading an unknown amount and writing an "
            f"unknown amount to {data_dir}/tiny_scenes/1.0.0"
            ) in capsys.readouterr().err
    assert summary["rejected"] == {"colorless": 1, "duplicate": 1}
    assert {path: reason for path, (reason, _)
            in read_report(tmp_path / "out").items()} == {
        "train/2": "colorless", "train/3": "duplicate"}
    pictures = read_back(tmp_path / "out")
    assert sorted(pictures) == ["train/0", "train/1", "train/4"]
    assert_is_scene(pictures["train/4"], 4)
    assert summary["bytes_in"] > 1000

    prepare("tfds:tiny_scenes@train[:2]", tmp_path / "part",
            tfds_data_dir=str(data_dir))
    assert "downloading" not in capsys.readouterr().err
    assert len(read_back(tmp_path / "part")) == 2


def test_sample_photos_can_be_prepared(tmp_path):
    summary = prepare("sample_photos", tmp_path / "out")
    assert summary["files_in"] == 64
    assert summary["photographs_out"] + sum(summary["rejected"].values()) == 64
    assert summary["photographs_out"] > 60
    assert set(read_back(tmp_path / "out")) <= set(
        os.listdir(sample_photos.DIRECTORY))
    sides = [split.open_train_and_eval(
        data=data, eval_data="", eval_fraction=0.1, train_examples=0,
        eval_examples=0) for data in (f"shards:{tmp_path}/out",
                                      "sample_photos")]
    for prepared_side, side in zip(*sides):
        assert sorted(prepared_side.identities) == sorted(side.identities)
    assert set(sides[0][1].identities) == sample_photos.HELD_OUT


def test_a_download_s_size_and_what_is_read_are_said(tmp_path, monkeypatch):
    said: list[str] = []
    with tfds.testing.mock_data(num_examples=2):
        monkeypatch.setattr(
            tfds.core.DatasetInfo, "download_size",
            property(lambda info: tfds.core.utils.Size(3 * 2**30)))
        opened = collection.open_collection(
            "tfds:imagenette", tfds_data_dir=str(tmp_path), say=said.append)
        assert list(opened.identities()) == ["train/0", "train/1"]
        file, num_bytes = opened.open("train/1")
        assert num_bytes == len(file.read()) > 0
    assert said[1:] == [
        "--data=tfds:imagenette: the images are those of the feature image"]
    assert said[0].startswith(
        "imagenette/full-size-v2/1.0.0: downloading 3.00 GiB and writing an "
        "unknown amount to ")


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    def fail(self, **kwargs):
        raise ConnectionError("no route to host\nand so on")

    monkeypatch.setattr(TinyScenes, "download_and_prepare", fail)
    with pytest.raises(UserError) as caught:
        prepare("tfds:tiny_scenes", tmp_path / "out",
                tfds_data_dir=str(tmp_path / "tfds"))
    assert str(caught.value) == (
        "--data=tfds:tiny_scenes: TensorFlow Datasets could not prepare it: "
        "ConnectionError: no route to host")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("data, message", [
    ("nosuch:x", "--data=nosuch:x cannot be prepared; use sample_photos, "),
    ("sample_photos:8", "--data=sample_photos:8 cannot be prepared; use "),
    ("folder:/no/such", "--data=folder:/no/such: there is no folder "),
    ("tfds:no_such_set", "--data=tfds:no_such_set: .* cannot open"),
    ("tfds:tiny_pixels", "--data=tfds:tiny_pixels: tiny_pixels/1.0.0 holds "
                         "undecoded pixels"),
    ("folder:empty", "--data=folder:empty contains no file"),
])
def test_other_collections_are_refused(tmp_path, monkeypatch, data, message):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^{message}") as caught:
        prepare(data, tmp_path / "out", tfds_data_dir=str(tmp_path / "tfds"))
    assert "\n" not in str(caught.value)
    assert set(os.listdir(tmp_path)) <= {"empty", "tfds"}
