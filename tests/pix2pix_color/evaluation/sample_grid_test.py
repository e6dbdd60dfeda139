"""The sample grid keeps every pixel."""

import numpy as np
import pytest

from pix2pix_color.evaluation import sample_grid


def pictures(size, num_columns, seed=0):
    """uint8 [3, N, S, S, 3], each pixel of its own."""
    return np.random.default_rng(seed).integers(
        0, 256, (3, num_columns, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("size, num_columns, width, height", [
    (32, 8, 24 + 8 * 128 + 7 * 4, 3 * 128 + 2 * 4),
    (64, 3, 24 + 3 * 128 + 2 * 4, 3 * 128 + 2 * 4),
    (128, 1, 24 + 128, 3 * 128 + 2 * 4),
    (256, 2, 24 + 2 * 256 + 4, 3 * 256 + 2 * 4)])
def test_every_picture_keeps_its_pixels(size, num_columns, width, height):
    rows = pictures(size, num_columns)
    grid = sample_grid.draw_grid(*rows)
    assert grid.dtype == np.uint8 and grid.shape == (height, width, 3)
    side = max(size, 128)
    for (row, column), picture in zip(
            np.ndindex(3, num_columns), rows.reshape(-1, size, size, 3)):
        top, left = row * (side + 4), 24 + column * (side + 4)
        np.testing.assert_array_equal(
            grid[top:top + side, left:left + side],
            picture.repeat(side // size, 0).repeat(side // size, 1))


def test_the_grid_shows_gray_colorized_and_real_in_this_order():
    gray, colorized, real = (
        np.tile(np.array(color, np.uint8), (2, 32, 32, 1))
        for color in ((90, 90, 90), (0, 200, 0), (200, 0, 0)))
    grid = sample_grid.draw_grid(gray, colorized, real)
    assert [tuple(grid[row, -64]) for row in (0, 127, 132, 259, 264, 391)] == [
        (90, 90, 90), (90, 90, 90), (0, 200, 0), (0, 200, 0), (200, 0, 0),
        (200, 0, 0)]
    assert (grid[128:132] == 255).all()


def test_each_row_has_a_label_beside_its_middle():
    labels = sample_grid.draw_grid(*pictures(128, 1))[:, :24]
    for top in (0, 132, 264):
        rows, columns = np.nonzero(
            labels[top:top + 128].mean(axis=-1) < 128)
        assert abs(rows.mean() - 64) < 6 and abs(columns.mean() - 12) < 4
        assert len(rows) > 30
