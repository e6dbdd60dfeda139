"""What each update of a run is for, and how fast it learns.

A run has two stages: 0 is pretraining without the adversarial loss, which in
pix2pix leaves L1 alone, 1 is with it. All here follows from the flags, from
the number of completed updates and from what the evaluations gave, never from
what an optimizer says: a run that is resumed goes on exactly, and every worker
decides the same.
"""

import math
from fractions import Fraction
from typing import Any, Mapping

from pix2pix_color.config import Config, Training
from pix2pix_color.metric_names import is_better
from pix2pix_color.training.train_step import Objective

PRETRAINING, ADVERSARIAL = 0, 1


def adversarial_objective(training: Training) -> Objective:
    """What updates of the second stage are for, one turn each."""
    return Objective(
        gan_loss=training.gan_loss, gan_weight=training.gan_weight,
        l1_weight=training.l1_weight, psnr_weight=training.psnr_weight,
        colorfulness_weight=training.colorfulness_weight,
        semantic_weight=training.semantic_weight,
        label_smoothing=training.label_smoothing,
        freeze_encoder=not training.encoder_rate,
        frozen_stages=training.frozen_stages)


class Schedule:
    """The course of one run.

    Args:
      config: the run's.
      num_train_examples: how many photographs are an epoch.

    Attributes:
      pretrain_steps: updates of the first stage.
      total_steps: updates of both.
    """

    def __init__(self, config: Config, *, num_train_examples: int) -> None:
        self._training = config.training
        self.pretrain_steps = config.pretrain_steps(num_train_examples)
        self.total_steps = config.total_steps(num_train_examples)

    def stage(self, step: int) -> int:
        """The stage of the update that follows so many completed ones."""
        return ADVERSARIAL if step >= self.pretrain_steps else PRETRAINING

    def objective(self, step: int) -> Objective:
        """What the update that follows so many completed ones is for."""
        training = self._training
        if self.stage(step) == PRETRAINING:
            return Objective(
                gan_weight=0.0, l1_weight=training.l1_weight,
                psnr_weight=training.psnr_weight,
                colorfulness_weight=training.colorfulness_weight,
                discriminator_updates=0,
                freeze_encoder=(training.freeze_encoder
                                or not training.encoder_rate),
                frozen_stages=training.frozen_stages)
        return adversarial_objective(training)._replace(
            discriminator_updates=self._discriminator_updates(
                step - self.pretrain_steps))

    def _discriminator_updates(self, step: int) -> int:
        """--discriminator_steps on average, the first turn among them; none
        where the generator does not mind the discriminator."""
        if not self._training.gan_weight:
            return 0
        a_turn = Fraction(repr(self._training.discriminator_steps))
        return math.ceil(a_turn * (step + 1)) - math.ceil(a_turn * step)

    def learning_rates(self, step: int,
                       plateau: Mapping[str, Any]) -> dict[str, float]:
        """Both networks' rates in the update that follows.

        Args:
          step: the number of completed updates.
          plateau: as watch_plateau left it.
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
            # Zero is what would come after the last update. A dry run times
            # updates of this stage even where --steps leaves it none.
            num_steps = max(1, self.total_steps - self.pretrain_steps)
            left = max(0, self.total_steps - step) / num_steps
            return rate * min(1.0, left / (1.0 - training.lr_decay_start)
                              if training.lr_decay_start < 1 else 1.0)
        return rate

    def watch_plateau(self, plateau: Mapping[str, Any],
                      metrics: Mapping[str, float], *,
                      step: int) -> dict[str, Any]:
        """Notes an evaluation; a plateau cuts the rates once more.

        As ReduceLROnPlateau of Keras and PyTorch, with no threshold: any
        improvement is one.

        Args:
          plateau: what this gave the last time; empty at first.
          metrics: what the evaluation gave.
          step: the number of completed updates; what was evaluated before the
            second stage does not count.

        Returns:
          The `best` value so far, how many `waited` evaluations were not
          better since that or since the last cut, and the number of `cuts`.
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
