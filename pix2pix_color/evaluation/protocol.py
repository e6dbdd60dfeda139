"""The evaluation protocol: one function for every system.

The center square of each photograph is resized with antialiasing to uint8 RGB.
Metrics are computed per image, then averaged. The gray image (no color at all)
is measured beside the colorized one: PSNR rewards dull colors, so a number
means little without that of gray.

Degraded evaluation shows the same photographs as old prints (degrade.py), drawn
from each photograph's identity, and joins the predicted colors with the clean
lightness.

Each mean has a 95 % interval by the percentile bootstrap (Efron and Tibshirani
1993, 13.3). Photographs are drawn with replacement, the colorized and the real
version of each together.
"""

import dataclasses
import functools
from typing import Any, Callable, Mapping, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from data_pipelines import color, degrade, pipeline
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source
from pix2pix_color.evaluation import fid, judge
from pix2pix_color.metric_names import METRICS
from pix2pix_color.metrics import COLORFULNESS, COMPARISONS

# Photographs at a time; no number depends on it, and this many fit anywhere.
_BATCH = 8
_RESAMPLES, _BOOTSTRAP_SEED = 2000, 0
# Random numbers at a time: 80 MB.
_DRAWN_AT_ONCE = 10**7

# A colorizer: (photographs, degraded photographs or None) -> uint8
# [N, S, S, 3]. Both are uint8 [N, S, S, 3], or 4 with the gray photograph that
# belongs to each. It sees the degraded ones, if there are any; lightness comes
# from the first.
Answer = Callable[[tf.Tensor, Optional[tf.Tensor]], tf.Tensor]
# Pictures uint8 [N, S, S, 3] -> features float32 [N, D].
Features = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The numbers of an evaluation, per image.

    Attributes:
      colorized: metric -> float32 [N], of the colorized images.
      gray: metric -> float32 [N], of the gray images.
      real: colorfulness, in both definitions -> float32 [N], of the
        photographs.
      indices: int64 [N], the photographs' places in their source.
      fid: Frechet inception distance to the photographs of the colorized and
        of the gray images; None if it was not measured.
    """

    colorized: Mapping[str, np.ndarray]
    gray: Mapping[str, np.ndarray]
    real: Mapping[str, np.ndarray]
    indices: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros([0], np.int64))
    fid: Optional[tuple[float, float]] = None

    def __len__(self) -> int:
        return len(self.real["colorfulness"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that have one number an image."""
        return tuple(self.colorized)

    def means(self) -> dict[str, float]:
        """Averages over the colorized images, with the colorfulness gaps."""
        return self._means(self.colorized, 0)

    def gray_means(self) -> dict[str, float]:
        """Averages the same over the gray images."""
        return self._means(self.gray, 1)

    def _means(self, values, which):
        means = {name: float(np.mean(values[name])) for name in self.metrics}
        for name in COLORFULNESS:
            means[f"{name}_gap"] = abs(
                means[name] - float(np.mean(self.real[name])))
        if self.fid is not None:
            means["fid"] = self.fid[which]
        return means

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Returns the 95 % intervals of means(), except fid's."""
        return self._intervals(self.colorized)

    def gray_intervals(self) -> dict[str, tuple[float, float]]:
        """Returns the 95 % intervals of gray_means(), except fid's."""
        return self._intervals(self.gray)

    def _intervals(self, values):
        names = self.metrics
        means = resampled_means(np.stack(
            [*(values[name] for name in names),
             *(self.real[name] for name in COLORFULNESS)], axis=1))
        columns = dict(zip(names, means.T))
        for name, real in zip(COLORFULNESS, means.T[len(names):]):
            columns[f"{name}_gap"] = np.abs(columns[name] - real)
        return {name: tuple(map(float, np.percentile(column, [2.5, 97.5])))
                for name, column in columns.items()}

    def to_json(self) -> dict[str, Any]:
        """Returns the number of photographs, means and intervals."""
        return {"photographs": len(self), "colorized": self.means(),
                "gray_image": self.gray_means(), "interval_95": {
                    "colorized": self.intervals(),
                    "gray_image": self.gray_intervals()}}


def resampled_means(columns: np.ndarray) -> np.ndarray:
    """Averages rows drawn with replacement, the same rows in all columns.

    Args:
      columns: float [N, K].

    Returns:
      float64 [R, K], the means of R resamples; the same at every call.
    """
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    num_rows = len(columns)
    at_once = max(1, _DRAWN_AT_ONCE // num_rows)
    means = []
    for first in range(0, _RESAMPLES, at_once):
        # How often each row is drawn is cheaper than the rows themselves.
        counts = generator.multinomial(
            num_rows, np.full(num_rows, 1 / num_rows),
            size=min(at_once, _RESAMPLES - first))
        means.append(counts @ columns.astype(np.float64) / num_rows)
    return np.concatenate(means)


def answer_of(predict: Callable[[tf.Tensor], tf.Tensor], *,
              color_space: color.ColorSpace) -> Answer:
    """Makes a colorizer of a bare generator.

    Args:
      predict: condition float32 [N, S, S, C] -> target float32 [N, S, S, D];
        the generator in inference mode.
      color_space: the generator's.
    """
    @functools.cache
    def graphs(channels):
        photo = tf.TensorSpec([None, None, None, channels], tf.uint8)
        encode = tf.function(lambda photo: color_space.encode(photo)[0],
                             autograph=False, input_signature=[photo])
        return encode, tf.function(color_space.decode, autograph=False,
                                   reduce_retracing=True)

    def answer(photo, degraded_photo):
        encode, decode = graphs(photo.shape[-1])
        if degraded_photo is None:
            condition = encode(photo)
            return decode(condition, predict(condition))
        target = predict(graphs(degraded_photo.shape[-1])[0](degraded_photo))
        return color.LAB.decode(color.LAB.encode(photo)[0],
                                color_space.ab_of(target))

    return answer


class Pictures(NamedTuple):
    """Photographs as people compare them, uint8 [N, S, S, 3] each.

    Attributes:
      gray: without color, as the colorizer saw them.
      colorized: its answer.
      real: as they are.
    """

    gray: np.ndarray
    colorized: np.ndarray
    real: np.ndarray


def gray_colorized_real(answer: Answer, photo: tf.Tensor,
                        degraded_photo: Optional[tf.Tensor] = None
                        ) -> Pictures:
    """Colors photographs and puts them beside the gray and the real ones.

    Args:
      answer: the colorizer.
      photo: uint8 [N, S, S, 3], or 4 with the gray photographs.
      degraded_photo: what the colorizer sees in their place, if anything.
    """
    given = photo if degraded_photo is None else degraded_photo
    return Pictures(*map(np.asarray, (
        color.given_gray(given), answer(photo, degraded_photo),
        photo[..., :3])))


def evaluate(answer: Answer, source: Source, *, image_size: int,
             rejected: RejectedExamples, degraded: bool = False,
             the_judge: Optional[judge.Judge] = None,
             features: Optional[Features] = None) -> Evaluation:
    """Measures a colorizer on photographs.

    Args:
      answer: the colorizer.
      source: the photographs.
      image_size: side of the square, pixels.
      rejected: notes the photographs that cannot be read.
      degraded: whether photographs are shown as old prints.
      the_judge: measures agreement and kl; None leaves them out.
      features: measures fid; None leaves it out.

    Raises:
      UserError: no photograph can be read, or only one with features given.
    """
    colorized, gray, real, indices = [], [], [], []
    seen: list[list[np.ndarray]] = []
    batches = pipeline.evaluation_batches(
        source, image_size=image_size, batch_size=_BATCH)
    for batch in rejected.watch_evaluation(batches, source):
        photo = batch.photo
        rgb = (photo[..., :3],
               answer(photo, old_prints(batch, source) if degraded else None),
               color.given_gray(photo))
        of_colorized, of_gray = (
            {**_compare(rgb[0], other), **_colorfulness(other)}
            for other in rgb[1:])
        if the_judge is not None:
            logits = [the_judge.logits(picture) for picture in rgb]
            for measured, given in ((of_colorized, logits[1]),
                                    (of_gray, logits[2])):
                measured["agreement"] = judge.agreement(logits[0], given)
                measured["kl"] = judge.kl(logits[0], given)
        colorized.append(of_colorized)
        gray.append(of_gray)
        real.append(_colorfulness(rgb[0]))
        indices.append(batch.index)
        if features is not None:
            seen.append([features(picture).numpy() for picture in rgb])
    distances = None
    if features is not None:
        if sum(map(len, indices)) < 2:
            raise UserError(f"{source.origin} has one photograph; fid needs "
                            f"at least two")
        real_features, *others = map(np.concatenate, zip(*seen))
        distances = (fid.distance(real_features, others[0]),
                     fid.distance(real_features, others[1]))
    return Evaluation(colorized=_join(colorized), gray=_join(gray),
                      real=_join(real), indices=np.concatenate(indices),
                      fid=distances)


def old_prints(batch: pipeline.EvaluationBatch, source: Source) -> tf.Tensor:
    """Makes old prints of a batch's photographs.

    Args:
      batch: one of evaluation_batches.
      source: the batch's source.

    Returns:
      uint8 [N, S, S, 4]: the photographs, each with its degraded gray one.
    """
    return _degrade(batch.photo, degrade.seeds_of([
        source.identities[index] for index in batch.index.numpy().tolist()]))


@tf.function(autograph=False, reduce_retracing=True)
def _degrade(photo, seeds):
    gray = tf.map_fn(
        lambda each: degrade.degrade(each[0], seed=each[1]), (photo, seeds),
        fn_output_signature=tf.TensorSpec([*photo.shape[1:3], 1], tf.uint8))
    return tf.concat([photo[..., :3], gray], axis=-1)


@tf.function(autograph=False, reduce_retracing=True)
def _compare(real_rgb, colorized_rgb):
    return {name: compare(real_rgb, colorized_rgb)
            for name, compare in COMPARISONS.items()}


@tf.function(autograph=False, reduce_retracing=True)
def _colorfulness(rgb):
    return {name: measure(rgb) for name, measure in COLORFULNESS.items()}


def _join(batches):
    return {name: np.concatenate([batch[name] for batch in batches])
            for name in batches[0]}


def comparison_table(evaluations: Mapping[str, Evaluation]) -> str:
    """Lists evaluations with those of their gray images as a text table.

    Args:
      evaluations: title -> Evaluation.
    """
    columns = list(next(iter(evaluations.values())).means())
    labels = [METRICS[name].label for name in columns]
    rows: list[tuple[str, ...]] = [("", *labels)]
    for title, evaluation in evaluations.items():
        for kind, means in (("colorized", evaluation.means()),
                            ("gray image", evaluation.gray_means())):
            rows.append((f"{title}, {kind}",
                         *(f"{means[name]:.2f}" for name in columns)))
    first = max(len(row[0]) for row in rows)
    return "\n".join(
        row[0].ljust(first) + "".join(
            cell.rjust(len(label) + 2) for cell, label in zip(row[1:], labels))
        for row in rows)
