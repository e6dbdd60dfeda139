"""Measures what color hints bring, and how good the likely colors are.

Hints are drawn from the photograph's own colors as Zhang et al. 2017
(arXiv:1705.02999) do: squares of 3 x 3 pixels at 128 px, around the center more
often than at the border, with their mean a*b*.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines import color, degrade, pipeline
from data_pipelines.rejected import RejectedExamples
from pix2pix_color import metrics
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.saved_model.load import LoadedModel
from pix2pix_color.saved_model.recolor import ChromaField

NUMBERS = (0, 1, 2, 5, 10, 20, 50, 100)
_SIZE, _SIDE, _PLACES = 128, 3, 20
# The floor: deviations in sides of the photograph and in L*, and the weight of
# no color.
_NEAR, _ALIKE, _GRAY = 0.12, 15.0, 0.05
# A likely color is right if it is this close, units of a*b*.
_CLOSE = 12.0


def measure(model: LoadedModel, *, data: str) -> dict[str, Any]:
    """Measures PSNR in dB against the number of hints.

    Args:
      model: takes hints.
      data: a data spec; empty for the embedded photographs.

    Returns:
      data; photographs, their number; psnr_db: number of hints -> mean of
      the model's answers; floor_db: the same without learning; likely_share
      and plain_share, of places whose own color is within 12 units of one of
      the likely colors and of the plain answer; nearest_median and
      plain_median, the median distances. Those of likely colors are only there
      if the model offers them.
    """
    source = of_saved_model.open_data(data)
    psnr: dict[str, list[list[float]]] = {"psnr_db": [], "floor_db": []}
    nearest: list[float] = []
    plain: list[float] = []
    batches = pipeline.evaluation_batches(source, image_size=_SIZE,
                                          batch_size=8)
    for batch in RejectedExamples().watch_evaluation(batches, source):
        for photo, index in zip(batch.photo.numpy(), batch.index.numpy()):
            rgb = photo[..., :3]
            seed = degrade.seeds_of([source.identities[index]])[0]
            rng = np.random.default_rng(np.abs(seed))
            real = color.rgb_to_lab(tf.constant(rgb)).numpy()
            drawn = draw_hints(real, max(NUMBERS), rng)
            plain_field = model.predict_field(rgb)
            answers = [model.follow_hints(plain_field, drawn[:number], rgb)
                       for number in NUMBERS]
            psnr["psnr_db"].append([
                _psnr(rgb, model.recolor(rgb, field)) for field in answers])
            psnr["floor_db"].append([
                _psnr(rgb, model.recolor(rgb, spread(real, drawn[:number])))
                for number in NUMBERS])
            place = rng.integers(0, _SIZE, (_PLACES, 2))
            own = real[place[:, 0], place[:, 1], 1:]
            if model.offers_likely_colors:
                likely, _ = model.likely_colors(rgb, (place + 0.5) / _SIZE)
                nearest.extend(
                    _distance(likely, own[:, np.newaxis]).min(axis=-1))
            shown = color.rgb_to_lab(tf.constant(model.recolor(
                rgb, answers[0]))).numpy()[place[:, 0], place[:, 1], 1:]
            plain.extend(_distance(shown, own))
    return {
        "data": source.origin, "photographs": len(plain) // _PLACES,
        **{name: _means(values) for name, values in psnr.items()},
        **({"likely_share": round(float(np.mean(
                np.array(nearest) <= _CLOSE)), 4),
            "nearest_median": round(float(np.median(nearest)), 2)}
           if nearest else {}),
        "plain_share": round(float(np.mean(np.array(plain) <= _CLOSE)), 4),
        "plain_median": round(float(np.median(plain)), 2)}


def _means(values: list[list[float]]) -> dict[str, float]:
    return {str(number): round(float(mean), 3) for number, mean
            in zip(NUMBERS, np.mean(values, axis=0))}


def draw_hints(lab: np.ndarray, number: int,
               rng: np.random.Generator) -> np.ndarray:
    """Draws hints from a photograph's own colors.

    Args:
      lab: float32 [S, S, 3], native units.
      number: how many.
      rng: source of the places.

    Returns:
      float32 [number, 4]: y, x, a*, b*.
    """
    size, margin = len(lab), _SIDE // 2
    center = np.clip(rng.normal(size / 2, size / 4, (number, 2)).astype(int),
                     margin, size - 1 - margin)
    means = [lab[y - margin:y + margin + 1, x - margin:x + margin + 1,
                 1:].mean(axis=(0, 1)) for y, x in center]
    return np.concatenate([(center + 0.5) / size, means],
                          axis=-1).astype(np.float32)


def spread(lab: np.ndarray, given: np.ndarray) -> ChromaField:
    """Spreads hints by distance and lightness: the floor without learning.

    Args:
      lab: float32 [S, S, 3], of which only L* is looked at.
      given: float32 [K, 4], hints.
    """
    nothing = np.zeros((*lab.shape[:2], 2), np.float32)
    if not len(given):
        return ChromaField(nothing, nothing)
    y, x = np.mgrid[:lab.shape[0], :lab.shape[1]]
    weights = [
        np.exp(-0.5 * (((y + 0.5) / lab.shape[0] - hint[0])**2
                       + ((x + 0.5) / lab.shape[1] - hint[1])**2) / _NEAR**2
               - 0.5 * ((lab[..., 0] - lab[int(hint[0] * lab.shape[0]),
                                           int(hint[1] * lab.shape[1]), 0])
                        / _ALIKE)**2) for hint in given]
    total = np.sum(weights, axis=0) + _GRAY
    ab = np.tensordot(weights, given[:, 2:], (0, 0)) / total[..., np.newaxis]
    return ChromaField(nothing, ab.astype(np.float32))


def _psnr(real: np.ndarray, shown: np.ndarray) -> float:
    return float(metrics.psnr_db(tf.constant(real[np.newaxis]),
                                 tf.constant(shown[np.newaxis]))[0])


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.linalg.norm(one - other, axis=-1)
