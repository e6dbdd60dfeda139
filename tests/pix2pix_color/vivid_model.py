"""An exported model with vivid colors and photographs, shared by tests."""

import fcntl
import os

import keras
import numpy as np
import pytest
from PIL import Image

from data_pipelines import color
from pix2pix_color.networks import unet
from pix2pix_color.saved_model.prediction import Seed
from pix2pix_color.saved_model.write import write_saved_model


def smooth_photo(height=60, width=90, seed=0):
    """A smooth colorful picture, a PIL image."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (4, 5, 3))
    return Image.fromarray(coarse.astype(np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC)


def build_vivid_generator(*, color_space=color.LAB, **options):
    """A generator with large random weights, so that its colors are vivid."""
    keras.utils.set_random_seed(3)
    generator = unet.build_unet(
        image_size=32, condition_channels=1, base_filters=4,
        target_channels=color_space.target_channels, **options)
    for layer in generator.layers:  # so that the innermost ones count as well
        if layer.name.startswith(("encoder", "decoder")):
            layer.set_weights([4 * weight for weight in layer.get_weights()])
    last = generator.get_layer("output")
    last.set_weights([50 * weight for weight in last.get_weights()])
    return generator


def write_vivid_model(directory):
    """Exports a vivid generator with noise."""
    seed = Seed()
    return write_saved_model(
        build_vivid_generator(step=seed, sampling=True), directory, seed=seed,
        max_pixels=1_000_000, card={"step": 7})


@pytest.fixture(scope="session")
def export_dir(tmp_path_factory):
    """A folder that holds the vivid model as version 1, not to be changed."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # then all processes share one
        shared = shared.parent
    directory = shared / "vivid_model"
    with open(shared / "vivid_model.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            assert write_vivid_model(str(directory)) == str(directory / "1")
    return directory
