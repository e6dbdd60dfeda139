"""Large photographs, recolored band by band."""

import numpy as np
import pytest

from pix2pix_color.saved_model.bands import recolor_in_bands
from pix2pix_color.saved_model.module import trace_recolor
from pix2pix_color.saved_model.recolor import ChromaField


@pytest.mark.parametrize("height, width", [(1500, 1100), (999, 1777)])
def test_bands_are_those_of_the_whole_to_the_bit(height, width):
    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (height, width, 3), np.uint8)
    field = ChromaField(*random.normal(0, 40, (2, 60, 90, 2)).astype(
        np.float32))
    bands = recolor_in_bands(rgb, field, band_pixels=2**19)
    np.testing.assert_array_equal(bands, trace_recolor()(rgb, *field).numpy())
    assert np.abs(bands.astype(int) - rgb).mean() > 5
