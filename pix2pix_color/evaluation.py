"""The evaluation protocol: one function for every system.

The centre square of each photograph, resized with antialiasing to the
networks' size, uint8 RGB; metrics per image, then averaged. The gray image (no
color at all) is measured beside the generated one, since PSNR rewards dull
output: a number says little without the one for gray.

What a mean of few photographs is worth is told by a 95 % interval: the
percentile bootstrap (Efron and Tibshirani 1993, 13.3), the photographs drawn
with replacement, generated and real ones of the same photograph together.
"""

import dataclasses
import functools
from typing import Any, Callable, Mapping, Optional

import numpy as np
import tensorflow as tf

from data_pipelines import color, pipeline
from data_pipelines.errors import InputError
from data_pipelines.sources import Source
from pix2pix_color import fid, metrics

# One number an image each, from metrics.py.
METRICS = ("ab_l1", "psnr_db", "ssim", "delta_e", "colorfulness")

# Resamples of the bootstrap, and what it follows from.
_RESAMPLES, _BOOTSTRAP_SEED = 2000, 0
# Numbers that are drawn at a time: 80 MB.
_DRAWN_AT_ONCE = 10**7

Predict = Callable[[tf.Tensor], tf.Tensor]
# Pictures uint8 [N, S, S, 3] -> features float32 [N, D].
Features = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came out, per image.

    Attributes:
      generated: metric -> float32 [N], of the generated images.
      gray: metric -> float32 [N], of the gray images.
      real_colorfulness: float32 [N], of the photographs.
      indices: int64 [N], the photographs' places in their source.
      fid: Frechet inception distance of the generated images and of the gray
        ones to the photographs; None where no features were given.
    """

    generated: Mapping[str, np.ndarray]
    gray: Mapping[str, np.ndarray]
    real_colorfulness: np.ndarray
    indices: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros([0], np.int64))
    fid: Optional[tuple[float, float]] = None

    def __len__(self) -> int:
        return len(self.real_colorfulness)

    def means(self) -> dict[str, float]:
        """Averages of the generated images, colorfulness_gap among them."""
        return self._means(self.generated, 0)

    def gray_means(self) -> dict[str, float]:
        """The same averages for the gray images."""
        return self._means(self.gray, 1)

    def _means(self, values, which):
        means = {name: float(np.mean(values[name])) for name in METRICS}
        means["colorfulness_gap"] = abs(
            means["colorfulness"] - float(np.mean(self.real_colorfulness)))
        if self.fid is not None:
            means["fid"] = self.fid[which]
        return means

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of means(), but for fid."""
        return self._intervals(self.generated)

    def gray_intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of gray_means(), but for fid."""
        return self._intervals(self.gray)

    def _intervals(self, values):
        columns = np.stack([*(values[name] for name in METRICS),
                            self.real_colorfulness], axis=1)
        means = resampled_means(columns)
        gap = np.abs(means[:, METRICS.index("colorfulness")] - means[:, -1])
        spread = np.percentile(
            np.concatenate([means[:, :-1], gap[:, np.newaxis]], axis=1),
            [2.5, 97.5], axis=0)
        return {name: (float(low), float(high)) for name, low, high
                in zip((*METRICS, "colorfulness_gap"), *spread)}

    def to_json(self) -> dict[str, Any]:
        """Numbers of photographs, means and intervals, for a file."""
        return {"photographs": len(self), "colorized": self.means(),
                "gray_image": self.gray_means(), "interval_95": {
                    "colorized": self.intervals(),
                    "gray_image": self.gray_intervals()}}


def resampled_means(columns: np.ndarray) -> np.ndarray:
    """Means over rows drawn with replacement, the same rows in all columns.

    Args:
      columns: float [N, K].

    Returns:
      float64 [R, K], the means of each of R resamples; always the same.
    """
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    num_rows = len(columns)
    at_once = max(1, _DRAWN_AT_ONCE // num_rows)
    means = []
    for first in range(0, _RESAMPLES, at_once):
        # How often each row is drawn, instead of the rows themselves.
        counts = generator.multinomial(
            num_rows, np.full(num_rows, 1 / num_rows),
            size=min(at_once, _RESAMPLES - first))
        means.append(counts @ columns.astype(np.float64) / num_rows)
    return np.concatenate(means)


def evaluate(predict: Predict, source: Source, *,
             color_space: color.ColorSpace, image_size: int,
             batch_size: int, rejected: pipeline.RejectedExamples,
             features: Optional[Features] = None) -> Evaluation:
    """Measures a generator on photographs.

    Args:
      predict: condition float32 [N, S, S, C] -> target float32 [N, S, S, D];
        the generator in inference mode.
      source: the photographs.
      color_space: how pictures become condition and target, and back.
      image_size: side of the square, pixels.
      batch_size: photographs at a time; no number depends on it.
      rejected: is told of photographs that cannot be read.
      features: what fid is computed from; None leaves it out.

    Raises:
      InputError: no photograph can be read, or only one, and fid is asked.
    """
    generated, gray, real, indices = [], [], [], []
    seen: list[list[np.ndarray]] = []
    batches = pipeline.evaluation_batches(
        source, image_size=image_size, batch_size=batch_size)
    for batch in rejected.watch_evaluation(batches, source):
        encode, measure = _graphs(color_space, image_size,
                                  batch.photo.shape[-1])
        condition = encode(batch.photo)
        of_generated, of_gray, of_real, pictures = measure(
            batch.photo, condition, predict(condition))
        generated.append(of_generated)
        gray.append(of_gray)
        real.append(of_real)
        indices.append(batch.index)
        if features is not None:
            seen.append([features(rgb).numpy() for rgb in pictures])
    distances = None
    if features is not None:
        if sum(map(len, indices)) < 2:
            raise InputError(f"{source.origin} has one photograph, and fid "
                             f"needs two at least")
        real_features, *others = map(np.concatenate, zip(*seen))
        distances = (fid.distance(real_features, others[0]),
                     fid.distance(real_features, others[1]))
    return Evaluation(generated=_join(generated), gray=_join(gray),
                      real_colorfulness=np.concatenate(real),
                      indices=np.concatenate(indices), fid=distances)


@functools.cache
def _graphs(color_space: color.ColorSpace, image_size: int,
            photo_channels: int) -> tuple[Callable, Callable]:
    """What turns photographs into conditions, and what measures targets.

    Graphs, which keep both cores busy: a third of the time. They are traced
    once a process, not for every evaluation.
    """
    def pictures(channels, dtype=tf.float32):
        return tf.TensorSpec([None, image_size, image_size, channels], dtype)

    photo = pictures(photo_channels, tf.uint8)

    @tf.function(autograph=False, input_signature=[photo])
    def encode(photo):
        return color_space.encode(photo)[0]

    @tf.function(autograph=False, input_signature=[
        photo, pictures(color_space.condition_channels),
        pictures(color_space.target_channels)])
    def measure(photo, condition, target):
        real_rgb = photo[..., :3]
        fake_rgb = color_space.decode(condition, target)
        gray_rgb = color.given_gray(photo)
        return (_measure(real_rgb, fake_rgb), _measure(real_rgb, gray_rgb),
                metrics.colorfulness(real_rgb), (real_rgb, fake_rgb, gray_rgb))

    return encode, measure


def _measure(real_rgb, fake_rgb):
    return {
        "ab_l1": metrics.ab_l1(real_rgb, fake_rgb),
        "psnr_db": metrics.psnr_db(real_rgb, fake_rgb),
        "ssim": metrics.ssim(real_rgb, fake_rgb),
        "delta_e": metrics.delta_e(real_rgb, fake_rgb),
        "colorfulness": metrics.colorfulness(fake_rgb),
    }


def _join(batches):
    return {name: np.concatenate([batch[name] for batch in batches])
            for name in METRICS}


def comparison_table(evaluations: Mapping[str, Evaluation]) -> str:
    """Sets evaluations beside their gray images, as text.

    Args:
      evaluations: what was evaluated, in words -> its Evaluation.
    """
    columns = (*METRICS, "colorfulness_gap")
    rows: list[tuple[str, ...]] = [("", *columns)]
    for title, evaluation in evaluations.items():
        for kind, means in (("colorized", evaluation.means()),
                            ("gray image", evaluation.gray_means())):
            rows.append((f"{title}, {kind}",
                         *(f"{means[name]:.2f}" for name in columns)))
    first = max(len(row[0]) for row in rows)
    return "\n".join(
        row[0].ljust(first) + "".join(
            cell.rjust(len(name) + 2) for cell, name in zip(row[1:], columns))
        for row in rows)
