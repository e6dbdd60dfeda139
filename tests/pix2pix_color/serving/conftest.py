"""A model that the tests of serving share."""

import keras
import pytest

from pix2pix_color.networks import unet
from pix2pix_color.serving import saved_model
from pix2pix_color.serving.colorizer import Seed


def write_vivid_model(directory):
    """A model with large random weights, so that its colors are vivid."""
    keras.utils.set_random_seed(3)
    seed = Seed()
    generator = unet.build_unet(image_size=32, condition_channels=1,
                                target_channels=2, base_filters=4,
                                step=seed, sampling=True)
    for layer in generator.layers:  # so that the innermost ones count as well
        if layer.name.startswith(("encoder", "decoder")):
            layer.set_weights([4 * weight for weight in layer.get_weights()])
    last = generator.get_layer("output")
    last.set_weights([50 * weight for weight in last.get_weights()])
    return saved_model.write(generator, directory, seed=seed,
                             max_pixels=1_000_000, card={"step": 7})


@pytest.fixture(scope="session")
def export_dir(tmp_path_factory):
    """A folder that holds the vivid model as version 1."""
    directory = tmp_path_factory.mktemp("export")
    assert write_vivid_model(str(directory)) == str(directory / "1")
    return directory
