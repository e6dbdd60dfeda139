"""The objective and the learning rates of each update.

A run has two stages: 0 is pretraining without the adversarial loss, 1 is with
it. Everything here follows from the flags, the number of completed updates and
the evaluations, never from the optimizers' state. So a resumed run goes on
exactly, and all workers decide alike.
"""

import math
from fractions import Fraction
from typing import Any, Mapping

from pix2pix_color.config import Config, Training
from pix2pix_color.metric_names import is_better
from pix2pix_color.training.train_step import Objective

PRETRAINING, ADVERSARIAL = 0, 1


def adversarial_objective(training: Training) -> Objective:
    """Returns the second stage's objective, with one turn per network."""
    return Objective(
        gan_loss=training.gan_loss, gan_weight=training.gan_weight,
        l1_weight=training.l1_weight, psnr_weight=training.psnr_weight,
        colorfulness_weight=training.colorfulness_weight,
        semantic_weight=training.semantic_weight,
        label_smoothing=training.label_smoothing,
        freeze_encoder=not training.encoder_rate,
        frozen_stages=training.frozen_stages)


class Schedule:
    """The objectives and learning rates of one run.

    Args:
      config: the run's flags.
      num_train_examples: number of photographs in an epoch.

    Attributes:
      pretrain_steps: number of updates in the first stage.
      total_steps: number of updates in both stages.
    """

    def __init__(self, config: Config, *, num_train_examples: int) -> None:
        self._training = config.training
        self.pretrain_steps = config.pretrain_steps(num_train_examples)
        self.total_steps = config.total_steps(num_train_examples)

    def stage(self, step: int) -> int:
        """Returns the stage of the update after `step` completed ones."""
        return ADVERSARIAL if step >= self.pretrain_steps else PRETRAINING

    def objective(self, step: int) -> Objective:
        """Returns the objective of the update after `step` completed ones."""
        training = self._training
        if self.stage(step) == PRETRAINING:
            return adversarial_objective(training)._replace(
                gan_weight=0.0, semantic_weight=0.0, discriminator_updates=0,
                freeze_encoder=(training.freeze_encoder
                                or not training.encoder_rate))
        return adversarial_objective(training)._replace(
            discriminator_updates=self._discriminator_updates(
                step - self.pretrain_steps))

    def _discriminator_updates(self, step: int) -> int:
        """Returns how often the discriminator learns in a turn.

        It averages --discriminator_steps and starts with the first turn; it is
        always 0 with --gan_weight=0.
        """
        if not self._training.gan_weight:
            return 0
        a_turn = Fraction(repr(self._training.discriminator_steps))
        return math.ceil(a_turn * (step + 1)) - math.ceil(a_turn * step)

    def learning_rates(self, step: int,
                       plateau: Mapping[str, Any]) -> dict[str, float]:
        """Returns both networks' learning rates in the next update.

        Args:
          step: number of completed updates.
          plateau: the last return value of watch_plateau.
        """
        training = self._training
        if self.stage(step) == PRETRAINING:
            return {"generator": training.pretrain_learning_rate,
                    "discriminator": 0.0}
        return {"generator": self._lowered(
                    training.learning_rate, step, plateau),
                "discriminator": self._lowered(
                    training.discriminator_learning_rate, step, plateau)}

    def _lowered(self, rate: float, step: int,
                 plateau: Mapping[str, Any]) -> float:
        training = self._training
        if training.lr_schedule == "plateau":
            lowered = rate * training.plateau_factor**plateau.get("cuts", 0)
            return max(lowered, min(rate, training.plateau_floor))
        if training.lr_schedule == "linear":
            # The rate would be zero after the last update. A dry run times
            # this stage even if --steps leaves no update for it.
            num_steps = max(1, self.total_steps - self.pretrain_steps)
            left = max(0, self.total_steps - step) / num_steps
            return rate * min(1.0, left / (1.0 - training.lr_decay_start)
                              if training.lr_decay_start < 1 else 1.0)
        return rate

    def watch_plateau(self, plateau: Mapping[str, Any],
                      metrics: Mapping[str, float], *,
                      step: int) -> dict[str, Any]:
        """Notes an evaluation, which may cut the learning rates.

        Works like ReduceLROnPlateau of Keras and PyTorch with a threshold of
        zero: any improvement counts.

        Args:
          plateau: the last return value; empty at first.
          metrics: metric -> value in this evaluation.
          step: number of completed updates; evaluations before the second
            stage do not count.

        Returns:
          `best`, the best value so far; `waited`, the number of evaluations
          since then or since the last cut; `cuts`, the number of cuts.
        """
        training = self._training
        if training.lr_schedule != "plateau" or step <= self.pretrain_steps:
            return dict(plateau)
        value, best = metrics[training.plateau_metric], plateau.get("best")
        waited, cuts = plateau.get("waited", 0), plateau.get("cuts", 0)
        if best is None or is_better(value, best,
                                     metric=training.plateau_metric):
            return {"best": value, "waited": 0, "cuts": cuts}
        if waited + 1 < training.plateau_patience:
            return {"best": best, "waited": waited + 1, "cuts": cuts}
        return {"best": best, "waited": 0, "cuts": cuts + 1}
