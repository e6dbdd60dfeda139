"""Folders whose names TensorFlow could take for a pattern."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import files
from data_pipelines.sources import open_source
from pix2pix_color.config import Config, Data, Networks
from pix2pix_color.saved_model.load import LoadedModel
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_state import TrainState
from tests.pix2pix_color.vivid_model import smooth_photo

NAMES = ("my run [1] what? *new", "é ü\\x", "[a-z]*", "plain")


@pytest.fixture(scope="module")
def state():
    return TrainState.create(
        Config(data=Data(image_size=32), networks=Networks(base_filters=2)),
        precision="float32")


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_restored_whatever_its_folder_is_called(
        state, tmp_path, name):
    config = Config(data=Data(image_size=32), networks=Networks(base_filters=2))
    checkpoints = Checkpoints(state, config=config,
                              directory=str(tmp_path / name))
    state.step.assign(7)
    checkpoints.save(Journal(evaluated_step=5))
    state.step.assign(0)
    assert checkpoints.restore_latest() == Journal(evaluated_step=5)
    assert state.step_number == 7


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_model_is_loaded_whatever_its_folder_is_called(
        export_dir, tmp_path, name):
    shutil.copytree(export_dir, tmp_path / name)
    model = LoadedModel(str(tmp_path / name))
    assert model.directory == str(tmp_path / name / "1")
    assert np.ptp(model.colorize(np.asarray(smooth_photo())), -1).mean() > 10


@pytest.mark.parametrize("name", NAMES)
def test_photographs_are_read_whatever_their_folder_is_called(tmp_path, name):
    folder = tmp_path / name / name
    folder.mkdir(parents=True)
    smooth_photo().save(folder / f"{name}.png")
    photos = open_source(f"folder:{tmp_path / name}", flag="--data")
    np.testing.assert_array_equal(
        photos.load(tf.constant(0, tf.int64)), np.asarray(smooth_photo()))


def test_a_plain_path_is_left_and_another_one_closed_again(tmp_path):
    with files.plain_path(str(tmp_path)) as path:
        assert path == str(tmp_path)
    folder = tmp_path / "a[b]"
    folder.mkdir()
    (folder / "inside").touch()
    with files.plain_path(str(folder)) as path:
        assert os.listdir(path) == ["inside"]
    assert not os.path.exists(path)
    with pytest.raises(FileNotFoundError):
        with files.plain_path(str(tmp_path / "c?")):
            pass
