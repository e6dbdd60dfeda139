"""The evaluation protocol: one function for every system.

The centre square of each photograph, resized with antialiasing to the
networks' size, uint8 RGB; metrics per image, then averaged. The gray image (no
color at all) is measured beside the generated one, since PSNR rewards dull
output: a number says little without the one for gray.
"""

import dataclasses
from typing import Callable, Mapping

import numpy as np
import tensorflow as tf

from data_pipelines import color, pipeline
from data_pipelines.sources import Source
from pix2pix_color import metrics

# One number an image each, from metrics.py.
METRICS = ("ab_l1", "psnr_db", "ssim", "delta_e", "colorfulness")

Predict = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came out, per image.

    Attributes:
      generated: metric -> float32 [N], of the generated images.
      gray: metric -> float32 [N], of the gray images.
      real_colorfulness: float32 [N], of the photographs.
    """

    generated: Mapping[str, np.ndarray]
    gray: Mapping[str, np.ndarray]
    real_colorfulness: np.ndarray

    def __len__(self) -> int:
        return len(self.real_colorfulness)

    def means(self) -> dict[str, float]:
        """Averages of the generated images, colorfulness_gap among them."""
        return self._means(self.generated)

    def gray_means(self) -> dict[str, float]:
        """The same averages for the gray images."""
        return self._means(self.gray)

    def _means(self, values):
        means = {name: float(np.mean(values[name])) for name in METRICS}
        means["colorfulness_gap"] = abs(
            means["colorfulness"] - float(np.mean(self.real_colorfulness)))
        return means


def evaluate(predict: Predict, source: Source, *,
             color_space: color.ColorSpace, image_size: int,
             batch_size: int,
             rejected: pipeline.RejectedExamples) -> Evaluation:
    """Measures a generator on photographs.

    Args:
      predict: condition float32 [N, S, S, C] -> target float32 [N, S, S, D];
        the generator in inference mode.
      source: the photographs.
      color_space: how pictures become condition and target, and back.
      image_size: side of the square, pixels.
      batch_size: photographs at a time; no number depends on it.
      rejected: is told of photographs that cannot be read.

    Raises:
      InputError: no photograph can be read.
    """
    measure = tf.function(_measure, autograph=False, reduce_retracing=True)
    generated, gray, real = [], [], []
    batches = pipeline.evaluation_batches(
        source, image_size=image_size, batch_size=batch_size)
    for batch in rejected.watch_evaluation(batches, source):
        real_rgb = batch.photo[..., :3]
        condition, _ = color_space.encode(batch.photo)
        fake_rgb = color_space.decode(condition, predict(condition))
        generated.append(measure(real_rgb, fake_rgb))
        gray.append(measure(real_rgb, color.given_gray(batch.photo)))
        real.append(metrics.colorfulness(real_rgb))
    return Evaluation(generated=_join(generated), gray=_join(gray),
                      real_colorfulness=np.concatenate(real))


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
