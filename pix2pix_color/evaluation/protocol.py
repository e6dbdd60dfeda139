"""The evaluation protocol: one function for every system.

The center square of each photograph, resized with antialiasing to one size,
uint8 RGB; metrics per image, then averaged. The gray image (no color at all) is
measured beside the generated one, since PSNR rewards dull output: a number says
little without the one for gray.

Degraded evaluation shows the same photographs as old prints (degrade.py), drawn
from each photograph's identity, and joins the colors that come back with the
clean lightness.

What a mean of few photographs is worth is told by a 95 % interval: the
percentile bootstrap (Efron and Tibshirani 1993, 13.3), the photographs drawn
with replacement, generated and real ones of the same photograph together.
"""

import dataclasses
import functools
from typing import Any, Callable, Mapping, Optional

import numpy as np
import tensorflow as tf

from data_pipelines import color, degrade, pipeline
from data_pipelines.errors import UserError
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source
from pix2pix_color import metrics
from pix2pix_color.evaluation import fid, judge

# One number an image each, from metrics.py; and from judge.py where there is
# one.
METRICS = ("ab_l1", "psnr_db", "ssim", "delta_e", "colorfulness",
           "field_colorfulness")
# What the photographs are measured by on their own, and how far the mean of
# the generated ones is from theirs.
COLORFULNESS = ("colorfulness", "field_colorfulness")

# Resamples of the bootstrap, and what it follows from.
_RESAMPLES, _BOOTSTRAP_SEED = 2000, 0
# Numbers that are drawn at a time: 80 MB.
_DRAWN_AT_ONCE = 10**7

# What is evaluated: photographs as they are and as they are shown, both uint8
# [N, S, S, 3] or, with a gray photograph of their own, 4 -> uint8 [N, S, S, 3].
# The colors are those of what is shown, the lightness that of the photograph.
Answer = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# Pictures uint8 [N, S, S, 3] -> features float32 [N, D].
Features = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came out, per image.

    Attributes:
      generated: metric -> float32 [N], of the generated images.
      gray: metric -> float32 [N], of the gray images.
      real: each of COLORFULNESS -> float32 [N], of the photographs.
      indices: int64 [N], the photographs' places in their source.
      fid: Frechet inception distance of the generated images and of the gray
        ones to the photographs; None where no features were given.
    """

    generated: Mapping[str, np.ndarray]
    gray: Mapping[str, np.ndarray]
    real: Mapping[str, np.ndarray]
    indices: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros([0], np.int64))
    fid: Optional[tuple[float, float]] = None

    def __len__(self) -> int:
        return len(self.real["colorfulness"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that were measured, one number an image each."""
        return tuple(self.generated)

    def means(self) -> dict[str, float]:
        """Averages of the generated images, the gaps of COLORFULNESS too."""
        return self._means(self.generated, 0)

    def gray_means(self) -> dict[str, float]:
        """The same averages for the gray images."""
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
        """95 % intervals of means(), but for fid."""
        return self._intervals(self.generated)

    def gray_intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of gray_means(), but for fid."""
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


def answer_of(predict: Callable[[tf.Tensor], tf.Tensor], *,
              color_space: color.ColorSpace) -> Answer:
    """Makes the answer of a bare generator.

    Args:
      predict: condition float32 [N, S, S, C] -> target float32 [N, S, S, D];
        the generator in inference mode.
      color_space: how pictures become condition and target, and back.
    """
    @functools.cache
    def graphs(channels):
        photo = tf.TensorSpec([None, None, None, channels], tf.uint8)
        encode = tf.function(lambda photo: color_space.encode(photo)[0],
                             autograph=False, input_signature=[photo])
        return encode, tf.function(color_space.decode, autograph=False,
                                   reduce_retracing=True)

    def answer(photo, shown):
        encode, decode = graphs(photo.shape[-1])
        if shown is photo:
            condition = encode(photo)
            return decode(condition, predict(condition))
        target = predict(graphs(shown.shape[-1])[0](shown))
        return color.LAB.decode(color.LAB.encode(photo)[0],
                                color_space.ab_of(target))

    return answer


def evaluate(answer: Answer, source: Source, *, image_size: int,
             batch_size: int, rejected: RejectedExamples,
             degraded: bool = False, the_judge: Optional[judge.Judge] = None,
             features: Optional[Features] = None) -> Evaluation:
    """Measures a colorizer on photographs.

    Args:
      answer: what is evaluated.
      source: the photographs.
      image_size: side of the square, pixels.
      batch_size: photographs at a time; no number depends on it.
      rejected: is told of photographs that cannot be read.
      degraded: whether photographs are shown as old prints.
      the_judge: what agreement and kl are taken by; None leaves them out.
      features: what fid is computed from; None leaves it out.

    Raises:
      UserError: no photograph can be read, or only one, and fid is asked.
    """
    generated, gray, real, indices = [], [], [], []
    seen: list[list[np.ndarray]] = []
    batches = pipeline.evaluation_batches(
        source, image_size=image_size, batch_size=batch_size)
    for batch in rejected.watch_evaluation(batches, source):
        photo = batch.photo
        rgb = (photo[..., :3],
               answer(photo, shown(batch, source, degraded=degraded)),
               color.given_gray(photo))
        of_generated, of_gray = (
            {**_compare(rgb[0], other), **_colorfulness(other)}
            for other in rgb[1:])
        if the_judge is not None:
            logits = [the_judge.logits(picture) for picture in rgb]
            for measured, given in ((of_generated, logits[1]),
                                    (of_gray, logits[2])):
                measured["agreement"] = judge.agreement(logits[0], given)
                measured["kl"] = judge.kl(logits[0], given)
        generated.append(of_generated)
        gray.append(of_gray)
        real.append(_colorfulness(rgb[0]))
        indices.append(batch.index)
        if features is not None:
            seen.append([features(picture).numpy() for picture in rgb])
    distances = None
    if features is not None:
        if sum(map(len, indices)) < 2:
            raise UserError(f"{source.origin} has one photograph, and fid "
                            f"needs two at least")
        real_features, *others = map(np.concatenate, zip(*seen))
        distances = (fid.distance(real_features, others[0]),
                     fid.distance(real_features, others[1]))
    return Evaluation(generated=_join(generated), gray=_join(gray),
                      real=_join(real), indices=np.concatenate(indices),
                      fid=distances)


def shown(batch: pipeline.EvaluationBatch, source: Source, *,
          degraded: bool) -> tf.Tensor:
    """Returns a batch's photographs as the model is shown them.

    Args:
      batch: of evaluation_batches.
      source: that it is from.
      degraded: whether they are old prints; otherwise they are as they are.

    Returns:
      uint8 [N, S, S, 3], or 4 with the gray photographs that are shown.
    """
    if not degraded:
        return batch.photo
    return _degrade(batch.photo, degrade.seeds_of([
        source.identities[index] for index in batch.index.numpy().tolist()]))


@tf.function(autograph=False, reduce_retracing=True)
def _degrade(photo, seeds):
    gray = tf.map_fn(
        lambda each: degrade.degrade(each[0], seed=each[1]), (photo, seeds),
        fn_output_signature=tf.TensorSpec([*photo.shape[1:3], 1], tf.uint8))
    return tf.concat([photo[..., :3], gray], axis=-1)


@tf.function(autograph=False, reduce_retracing=True)
def _compare(real_rgb, fake_rgb):
    return {name: getattr(metrics, name)(real_rgb, fake_rgb)
            for name in METRICS if name not in COLORFULNESS}


@tf.function(autograph=False, reduce_retracing=True)
def _colorfulness(rgb):
    return {name: getattr(metrics, name)(rgb) for name in COLORFULNESS}


def _join(batches):
    return {name: np.concatenate([batch[name] for batch in batches])
            for name in batches[0]}


def comparison_table(evaluations: Mapping[str, Evaluation]) -> str:
    """Sets evaluations beside their gray images, as text.

    Args:
      evaluations: what was evaluated, in words -> its Evaluation.
    """
    columns = list(next(iter(evaluations.values())).means())
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
