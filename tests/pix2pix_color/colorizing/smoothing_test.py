"""Colors that are steady within a scene, and only there."""

import numpy as np

from pix2pix_color.colorizing.smoothing import steady
from pix2pix_color.saved_model.recolor import ChromaField
from tests.pix2pix_color.vivid_model import smooth_photo

FLAT = np.full((96, 128, 3), 120, np.uint8)


def plain_field(values):
    """A field of one a*b* everywhere, or of float32 [48, 64] in both."""
    ab = np.broadcast_to(np.float32(values), (48, 64))
    return ChromaField(np.zeros((48, 64, 2), np.float32),
                       np.stack([ab, ab], -1))


def shown(frames, values):
    """Returns a* of gray frames after steady: [N, 48, 64]."""
    made = list(steady((index, frame, plain_field(value)) for index, (
        frame, value) in enumerate(zip(frames, values))))
    assert [index for index, _ in made] == list(range(len(frames)))
    return np.stack([field.intercept[..., 0] for _, field in made])


def gray_photo(seed):
    return np.asarray(smooth_photo(96, 200, seed).convert("L").convert("RGB"))


def test_a_prediction_that_drifts_is_held():
    drifting = np.linspace(0, 30, 50)
    held = shown([gray_photo(0)[:, :128]] * 50, drifting).mean((1, 2))
    assert np.ptp(held) < 10 and 5 < held.mean() < 25
    assert np.abs(np.diff(held)).max() < 1


def test_a_cut_begins_anew():
    frames = [FLAT] * 6 + [FLAT + 100] * 6
    values = shown(frames, [10.0] * 6 + [-10.0] * 6)
    np.testing.assert_allclose(values[:6], 10, atol=1e-3)
    np.testing.assert_allclose(values[6:], -10, atol=1e-3)


def test_colors_follow_what_moves():
    """A camera pans; what it sees keeps its own color."""
    photo = np.asarray(smooth_photo(96, 250, 3).convert("L").convert("RGB"))
    color = np.where(np.arange(125) % 50 < 25, 20.0, -20.0)
    frames = [photo[:, 2 * n:2 * n + 128] for n in range(30)]
    right = [np.tile(color[n:n + 64], (48, 1)) for n in range(30)]
    noise = np.random.default_rng(0).normal(0, 10, 30)
    values = shown(frames, [one + other for one, other in zip(right, noise)])
    inside = np.s_[:, 8:-8, 8:-20]  # without what has just come in
    error = np.abs(values - np.stack(right))[inside]
    assert np.median(error) < 3  # each prediction is wrong by 8
    assert np.mean(error > 12) < 0.15  # left behind would be 40


def test_what_appears_gets_its_own_color():
    """A bright square comes into the picture and leaves no trace."""
    frames, fields = [], []
    for index in range(40):
        frame, field = FLAT.copy(), np.zeros((48, 64))
        if index >= 30:
            left = 4 * (index - 30)
            frame[32:64, left:left + 32] = 220
            field[16:32, left // 2:left // 2 + 16] = 30
        frames.append(frame)
        fields.append(field)
    values = shown(frames, fields)
    last = values[-1]
    assert last[20:28, 21:31].mean() > 20  # on the square
    assert np.abs(last[20:28, 2:10]).mean() < 3  # where it was
    assert np.abs(last[:10]).max() < 3
