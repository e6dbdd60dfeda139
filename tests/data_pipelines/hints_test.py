"""Color hints are drawn as Zhang et al. 2017 draw them, from a seed."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import hints


@pytest.fixture(scope="module")
def drawn():
    """The places of 1000 photographs."""
    draw = tf.function(lambda seed: hints.draw_places(128, seed=seed))
    places = [draw(tf.constant([3, number], tf.int64))
              for number in range(1000)]
    return (np.stack([each.squares for each in places]),
            np.array([each.is_full for each in places]))


def test_half_of_the_photographs_have_a_geometric_number_of_hints(drawn):
    squares, is_full = drawn
    numbers = (squares[..., 2] > 0).sum(axis=-1)
    assert abs((numbers == 0).mean() - 0.5) < 0.05
    some = numbers[numbers > 0]
    assert abs(some.mean() - 8) < 1
    # P(1) = 1/8, P(more than 16) = (7/8)^16.
    assert abs((some == 1).mean() - 1 / 8) < 0.04
    assert abs((some > 16).mean() - (7 / 8)**16) < 0.04
    assert 0 < is_full.mean() < 0.03


def test_hints_are_squares_of_1_to_5_pixels_around_the_center(drawn):
    squares = drawn[0][drawn[0][..., 2] > 0]
    assert set(squares[:, 2]) == set(range(1, 6))
    assert squares[:, :2].min() == 0
    assert (squares[:, :2] + squares[:, 2:]).max() == 128
    center = squares[:, :2] + squares[:, 2:] / 2
    np.testing.assert_allclose(center.mean(axis=0), 64, atol=2)
    # A quarter of the side, less what the borders hold back.
    np.testing.assert_allclose(center.std(axis=0), 31, atol=2)


def test_the_seed_alone_determines_the_places():
    first, second, other = (
        hints.draw_places(64, seed=tf.constant([1, number], tf.int64)).squares
        for number in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def reveal(target, squares, is_full=(False,)):
    return hints.reveal(tf.constant(target), hints.Places(
        tf.constant(squares, tf.int32), tf.constant(is_full))).numpy()


def test_a_hint_is_the_mean_color_of_its_square():
    target = np.random.default_rng(0).uniform(
        -1, 1, (2, 16, 16, 2)).astype(np.float32)
    shown = reveal(target, [[[2, 5, 3], [0, 0, 0]], [[15, 0, 1], [7, 7, 5]]],
                   [False, False])
    expected = np.zeros((2, 16, 16, 3), np.float32)
    expected[0, 2:5, 5:8] = [*target[0, 2:5, 5:8].mean(axis=(0, 1)), 1]
    expected[1, 15, 0] = [*target[1, 15, 0], 1]
    expected[1, 7:12, 7:12] = [*target[1, 7:12, 7:12].mean(axis=(0, 1)), 1]
    np.testing.assert_allclose(shown, expected, atol=1e-6)


def test_where_squares_overlap_the_hint_is_their_mean():
    target = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    shown = reveal(target, [[[0, 0, 2], [1, 1, 2]]])
    means = target[0, :2, :2].mean(), target[0, 1:3, 1:3].mean()
    np.testing.assert_allclose(shown[0, 0, 0], [means[0], 1])
    np.testing.assert_allclose(shown[0, 1, 1], [sum(means) / 2, 1])


def test_a_full_hint_is_the_target_itself():
    target = np.random.default_rng(1).uniform(
        -1, 1, (2, 8, 8, 2)).astype(np.float32)
    shown = reveal(target, [[[1, 1, 2]]] * 2, [True, False])
    np.testing.assert_array_equal(shown[0, ..., :2], target[0])
    assert (shown[0, ..., 2] == 1).all()
    assert shown[1, ..., 2].sum() == 4
