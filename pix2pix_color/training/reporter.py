"""Shows how training goes: curves, metrics and sample grids."""

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
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.summaries import Summaries
from pix2pix_color.training.train_state import TrainState

NUM_SAMPLES = 8


class Reporter:
    """Evaluates and draws the state's inference_generator.

    Args:
      config: the run's.
      state: whose generator.
      eval_source: photographs for the evaluation; some of them, evenly spread,
        are drawn.
      folder: where the sample grids go.
      summaries: where metrics and grids are drawn for TensorBoard.
      rejected: is told of photographs that cannot be read.
    """

    def __init__(self, *, config: Config, state: TrainState,
                 eval_source: Source, folder: RunFolder, summaries: Summaries,
                 rejected: RejectedExamples) -> None:
        self._state = state
        self._image_size = config.data.image_size
        self._color_space = color.COLOR_SPACES[config.networks.color_space]
        self._eval_source = eval_source
        self._folder, self._summaries = folder, summaries
        self._rejected = rejected
        self._histograms = config.reporting.histograms
        self._predict = tf.function(
            lambda condition: state.inference_generator(
                condition, training=False),
            autograph=False, reduce_retracing=True)
        self._answer = protocol.answer_of(
            self._predict, color_space=self._color_space)
        self._judge = (judge.Judge(config.reporting.judge_weights,
                                   state.loss_classifier)
                       if config.reporting.judge_weights else None)
        self._drawn = self._some_photographs(eval_source)

    def _some_photographs(self, source: Source) -> tf.Tensor:
        """uint8 [N, S, S, C], the same whenever they are asked for.

        Evenly spread: neighbors in a folder are often much alike. The others
        follow, to stand in for those that cannot be read.
        """
        num_photographs = len(source)
        spread = dict.fromkeys(place * num_photographs // NUM_SAMPLES
                               for place in range(NUM_SAMPLES))
        source = source.select([*spread, *(
            index for index in range(num_photographs) if index not in spread)])
        batches = pipeline.evaluation_batches(
            source, image_size=self._image_size, batch_size=NUM_SAMPLES)
        return next(self._rejected.watch_evaluation(batches, source)).photo

    def draw_losses(self, means: Mapping[str, float], *, stage: int,
                    images_per_second: float) -> None:
        """Draws a point of each training curve.

        Args:
          means: loss -> mean since the last point.
          stage: of the last update, as schedules.py numbers it.
          images_per_second: since the last point.
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
        """Brings all that was drawn to disk."""
        self._summaries.flush()

    def measure(self,
                source: Optional[Source] = None) -> protocol.Evaluation:
        """Evaluates on any photographs, without drawing a curve.

        Args:
          source: the photographs; by default those of the evaluation.
        """
        return protocol.evaluate(
            self._answer, source or self._eval_source,
            image_size=self._image_size, rejected=self._rejected,
            the_judge=self._judge)

    def evaluate(self) -> protocol.Evaluation:
        """Evaluates on the evaluation photographs: a point of each curve."""
        result = self.measure()
        self._summaries.write_metrics(
            result.means(), step=self._state.step_number)
        return result

    def draw_samples(self) -> str:
        """Draws the sample grid of this step; returns its path.

        The same photographs of the evaluation in every grid.
        """
        step = self._state.step_number
        grid = self._colorize_and_draw(self._drawn)
        self._summaries.write_grid(grid, step=step)
        if self._histograms:
            self._summaries.write_histograms(
                {variable.path: variable.value for network in
                 (self._state.generator, self._state.discriminator)
                 for variable in network.trainable_variables}, step=step)
        path = self.sample_path(step)
        write_atomically(path, tf.io.encode_png(grid).numpy())
        return path

    def sample_path(self, step: int) -> str:
        """Where the sample grid of a step is."""
        return self._folder.sample_path(f"step-{step:07d}")

    def draw_training(self, source: Source) -> str:
        """Draws a grid of training photographs; returns its path.

        Beside the samples it shows what was learned by heart.
        """
        grid = self._colorize_and_draw(self._some_photographs(source))
        path = self._folder.sample_path(
            f"training-{self._state.step_number:07d}")
        write_atomically(path, tf.io.encode_png(grid).numpy())
        return path

    def _colorize_and_draw(self, photos: tf.Tensor) -> np.ndarray:
        return draw_grid(*protocol.gray_colorized_real(self._answer, photos))
