"""Turns a reference photograph into color hints for another one.

Both photographs are described by the encoder's features at a sixteenth of the
size. Two places match if each is the other's most similar place, or next to it,
and their features are similar enough. Each match gives one hint, the color of
the reference's place. (He et al. 2018, arXiv:1807.06587, and Huang et al. 2022,
arXiv:2209.11223, match features of classifiers as well.)
"""

import numpy as np
import tensorflow as tf

from data_pipelines import augment, color
from pix2pix_color.saved_model.load import LoadedModel

# Least cosine similarity of a match. On the embedded photographs, two thirds of
# the mutual matches between overlapping parts of a photograph are above it,
# and a fifteenth of those between different photographs.
_SIMILAR = 0.7
# How far from the start a match may lead back to, in places.
_NEXT = 1
# The best matches are taken, so many at most.
_MAX_HINTS = 64


class Reference:
    """A color photograph whose colors others take for what is alike.

    Args:
      model: takes hints.
      rgb: uint8 [h, w, 3], the reference photograph.
    """

    def __init__(self, model: LoadedModel, rgb: np.ndarray) -> None:
        self._model = model
        features = model.features(rgb)
        self._features = features.reshape(-1, features.shape[-1])
        self._colors = _colors(rgb, features.shape[:2]).reshape(-1, 2)

    def find_hints(self, rgb: np.ndarray) -> np.ndarray:
        """Finds what has the reference's colors in a photograph.

        Args:
          rgb: uint8 [H, W, 3], the photograph to color.

        Returns:
          float32 [K, 4]: y and x in 0..1, a* and b* in native units; K is 0 if
          nothing matches.
        """
        own = self._model.features(rgb)
        shape = own.shape[:2]
        similarity = own.reshape(-1, own.shape[-1]) @ self._features.T
        there, back = similarity.argmax(axis=1), similarity.argmax(axis=0)
        place = np.stack(np.divmod(np.arange(len(there)), shape[1]), axis=-1)
        returned = np.stack(np.divmod(back[there], shape[1]), axis=-1)
        best = similarity.max(axis=1)
        matched = (np.abs(returned - place).max(axis=-1) <= _NEXT) & (
            best > _SIMILAR)
        order = np.argsort(-np.where(matched, best, -1), kind="stable")
        chosen = order[:min(_MAX_HINTS, int(matched.sum()))]
        return np.concatenate([
            (place[chosen] + 0.5) / shape, self._colors[there[chosen]]],
            axis=-1).astype(np.float32)


def _colors(rgb: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the mean a* and b* of places, float32 [h, w, 2]."""
    reduced = augment.resize(tf.constant(rgb), tf.constant(shape))
    return color.rgb_to_lab(reduced).numpy()[..., 1:]
