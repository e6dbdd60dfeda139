"""The reports of a training: curves, metrics and sample grids."""

from typing import Mapping, Optional

import numpy as np
import tensorflow as tf

from data_pipelines import color, pipeline
from data_pipelines.files import write_atomically
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source
from pix2pix_color.config import Config
from pix2pix_color.evaluation import judge, protocol
from pix2pix_color.evaluation.sample_grid import draw_grid
from pix2pix_color.networks import encoder_unet
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.summaries import Summaries
from pix2pix_color.training.train_state import TrainState

NUM_SAMPLES = 8


class Reporter:
    """Evaluates the state's inference_generator and writes samples of it.

    Args:
      config: the run's flags.
      state: holds the generator.
      eval_source: photographs for the evaluation and the sample grids.
      folder: the run's folder, for the sample grids.
      summaries: TensorBoard's curves and pictures.
      rejected: counts the photographs that cannot be read.
    """

    def __init__(self, *, config: Config, state: TrainState,
                 eval_source: Source, folder: RunFolder, summaries: Summaries,
                 rejected: RejectedExamples) -> None:
        self._state = state
        self._image_size = config.data.image_size
        self._eval_source = eval_source
        self._folder, self._summaries = folder, summaries
        self._rejected = rejected
        predict = tf.function(
            lambda condition: state.inference_generator(
                encoder_unet.inputs_of(state.inference_generator, condition),
                training=False),
            autograph=False, reduce_retracing=True)
        self._answer = protocol.answer_of(
            predict,
            color_space=color.COLOR_SPACES[config.networks.color_space])
        self._judge = (judge.Judge(config.reporting.judge_weights,
                                   state.loss_classifier)
                       if config.reporting.judge_weights else None)
        self._samples = self._some_photographs(eval_source)

    def _some_photographs(self, source: Source) -> tf.Tensor:
        """Returns up to NUM_SAMPLES photographs, uint8 [N, S, S, C].

        They are the same in every call, and spread evenly, as neighbors in a
        folder are often alike. Others replace those that cannot be read.
        """
        num_photographs = len(source)
        spread = dict.fromkeys(place * num_photographs // NUM_SAMPLES
                               for place in range(NUM_SAMPLES))
        source = source.select([*spread, *(
            index for index in range(num_photographs) if index not in spread)])
        batches = pipeline.evaluation_batches(
            source, image_size=self._image_size, batch_size=NUM_SAMPLES)
        return next(self._rejected.watch_evaluation(batches, source)).photo

    def write_losses(self, means: Mapping[str, float], *, stage: int,
                     images_per_second: float) -> None:
        """Writes a point of each training curve.

        Args:
          means: loss -> mean since the last point.
          stage: the last update's stage, as schedules.py numbers it.
          images_per_second: rate since the last point.
        """
        state = self._state
        self._summaries.write_losses(
            means, step=state.step_number, stage=stage,
            images_per_second=images_per_second,
            rejected=len(self._rejected), learning_rates={
                name: float(optimizer.learning_rate.value.numpy())
                for name, optimizer in (
                    ("generator", state.generator_optimizer),
                    ("discriminator", state.discriminator_optimizer))})

    def flush(self) -> None:
        """Flushes the event files to the disk."""
        self._summaries.flush()

    def measure(self,
                source: Optional[Source] = None) -> protocol.Evaluation:
        """Evaluates on any photographs, without writing a curve.

        Args:
          source: the photographs; eval_source by default.
        """
        return protocol.evaluate(
            self._answer, source or self._eval_source,
            image_size=self._image_size, rejected=self._rejected,
            the_judge=self._judge)

    def evaluate(self) -> protocol.Evaluation:
        """Evaluates on eval_source and writes a point of each curve."""
        result = self.measure()
        self._summaries.write_metrics(
            result.means(), result.gray_means(), step=self._state.step_number)
        return result

    def write_samples(self) -> None:
        """Writes this step's sample grid, always of the same photographs."""
        step = self._state.step_number
        grid = self._colorize(self._samples)
        self._summaries.write_grid(grid, step=step)
        write_atomically(self.sample_path(step),
                         tf.io.encode_png(grid).numpy())

    def sample_path(self, step: int) -> str:
        """Returns the path of a step's sample grid."""
        return self._folder.sample_path(f"step-{step:07d}")

    def write_training_samples(self, source: Source) -> str:
        """Writes a grid of training photographs; returns its path.

        Compared with the samples, it shows how much was memorized.
        """
        grid = self._colorize(self._some_photographs(source))
        path = self._folder.sample_path(
            f"training-{self._state.step_number:07d}")
        write_atomically(path, tf.io.encode_png(grid).numpy())
        return path

    def _colorize(self, photos: tf.Tensor) -> np.ndarray:
        """Returns the sample grid of photographs, uint8 [H, W, 3]."""
        return draw_grid(*protocol.gray_colorized_real(self._answer, photos))
