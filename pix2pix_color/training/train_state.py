"""Everything that training changes and a checkpoint holds."""

from typing import Any, Callable, Optional

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.config import ENCODERS, Config
from pix2pix_color.fast_keras.adam import FusedAdam
from pix2pix_color.networks import (build_discriminator, build_generator,
                                    efficientnet_weights, encoder_unet,
                                    encoder_weights, layers)


class TrainState(tf.Module):
    """Networks, optimizers and the place in the training stream.

    Order, augmentation and dropout follow from the run's seed and these
    counters. Beside the state, only the journal's record of the plateau
    (journal.py) influences the next updates.

    Attributes:
      generator: condition -> target.
      discriminator: [condition, target] -> logits.
      generator_optimizer: Adam with its moments.
      discriminator_optimizer: Adam with its moments.
      average: a generator with the moving average of the generator's weights
        (moving_average.py), or None.
      ema_decay: decay of the average, 0..1.
      color_space: converts condition and target to RGB.
      classifier: the frozen network of the semantic loss, or None; checkpoints
        do not hold it.
      step: int64 variable, number of completed updates.
      next_ordinals: int64 variable [num_workers], the first example in each
        worker's part of the training stream (data_pipelines.pipeline) that it
        has not trained on.
    """

    def __init__(self, *, generator: keras.Model, discriminator: keras.Model,
                 generator_optimizer: keras.optimizers.Optimizer,
                 discriminator_optimizer: keras.optimizers.Optimizer,
                 step: tf.Variable, num_workers: int = 1,
                 average: Optional[keras.Model] = None,
                 ema_decay: float = 0.0,
                 color_space: color.ColorSpace = color.LAB,
                 classifier: Optional[keras.Model] = None) -> None:
        super().__init__(name="train_state")
        self.generator = generator
        self.discriminator = discriminator
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.average, self.ema_decay = average, ema_decay
        self.color_space, self.classifier = color_space, classifier
        self.step = step
        # Any length: the checkpoint may come from another number of workers.
        self.next_ordinals = tf.Variable(
            [0] * num_workers, dtype=tf.int64, shape=[None],
            name="next_ordinals")
        # Keras makes an optimizer's moments on first use. That is too late to
        # restore them, and not allowed inside a tf.function.
        generator_optimizer.build(generator.trainable_variables)
        discriminator_optimizer.build(discriminator.trainable_variables)

    @property
    def loss_classifier(self) -> Optional[str]:
        """The name of the semantic loss's classifier, or None."""
        return None if self.classifier is None else self.classifier.name

    @property
    def step_number(self) -> int:
        """The number of completed updates, on one device or many."""
        return int(self.step.numpy())

    def checkpointed(self) -> dict[str, Any]:
        """Returns what a checkpoint holds, by its names on disk."""
        average = {} if self.average is None else {"average": self.average}
        return dict(
            generator=self.generator, discriminator=self.discriminator,
            generator_optimizer=self.generator_optimizer,
            discriminator_optimizer=self.discriminator_optimizer,
            step=self.step, next_ordinals=self.next_ordinals, **average)

    def shared_variables(self) -> list[tf.Variable]:
        """Returns the variables that must be equal on all workers."""
        return [*(variable.value for part in
                  (self.generator, self.discriminator,
                   self.generator_optimizer, self.discriminator_optimizer,
                   self.average)
                  if part is not None for variable in part.variables),
                self.step, self.next_ordinals]

    def set_num_workers(self, num_workers: int) -> None:
        """Adapts next_ordinals to another number of workers.

        Exact, unless photographs were rejected: then it is off by as many.
        """
        if len(self.next_ordinals.numpy()) != num_workers:
            done = int(tf.reduce_sum(self.next_ordinals))
            self.next_ordinals.assign([done // num_workers] * num_workers)

    def set_learning_rates(self, *, generator: float,
                           discriminator: float) -> None:
        """Sets both optimizers' learning rates."""
        self.generator_optimizer.learning_rate = generator
        self.discriminator_optimizer.learning_rate = discriminator

    def forget_generator_moments(self) -> None:
        """Resets the moments and the step count of the generator's Adam.

        A variable that was frozen until now has moments of zero. Without the
        reset, Adam would no longer correct for that (Kingma and Ba 2015,
        algorithm 1), and its first steps would be 16 times too long.
        """
        adam = _adam_of(self.generator_optimizer)
        for variable in (adam.iterations, *adam._momentums,
                         *adam._velocities):
            variable.assign(tf.zeros(variable.shape, variable.dtype))

    @property
    def inference_generator(self) -> keras.Model:
        """The generator that is evaluated, sampled and served."""
        return self.generator if self.average is None else self.average

    def served_generator(
            self, config: Config,
            seed: Optional[Callable[[], tf.Tensor]] = None) -> keras.Model:
        """Returns a copy of inference_generator in float32, for serving.

        Args:
          config: the run's flags.
          seed: returns int64 [], the seed of the noise at inference; None for
            a generator without noise.
        """
        generator = build_generator(
            config, precision="float32", step=seed or layers.no_step,
            sampling=seed is not None)
        generator.set_weights(self.inference_generator.get_weights())
        return generator

    @classmethod
    def create(cls, config: Config, *, precision: str, num_workers: int = 1,
               pretrained: bool = True,
               learning: bool = True) -> "TrainState":
        """Makes a run's initial state, in the current strategy.

        Args:
          config: the run's flags; the seed determines the initial weights.
          precision: Keras policy of the networks. mixed_float16 needs
            --precision=mixed_float16 as well, which scales the losses.
          num_workers: number of processes that share the training stream.
          pretrained: whether the encoder starts from --encoder_weights; False
            where a checkpoint will be restored, so that the file may be gone.
          learning: whether the state will be trained, for which the semantic
            loss needs its classifier.

        Raises:
          UserError: --encoder_weights or --classifier_weights cannot be used.
        """
        keras.utils.set_random_seed(config.training.seed)
        step = tf.Variable(
            0, dtype=tf.int64, name="step", trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        generator = build_generator(config, precision=precision,
                                    step=step.value)
        if pretrained:
            encoder_weights.load_encoder_weights(generator, config.networks)
        discriminator = build_discriminator(config, precision=precision)
        average = None
        if config.training.ema_decay:
            average = build_generator(config, precision=precision,
                                      step=layers.no_step)
            average.set_weights(generator.get_weights())
        classifier = None
        if learning and config.training.semantic_weight:
            flag, weights = ("--classifier_weights",
                             config.training.classifier_weights)
            classifier = efficientnet_weights.load_classifier(
                efficientnet_weights.find_weights(weights, flag=flag),
                flag=flag, dtype=precision)
        state = cls(
            generator=generator, discriminator=discriminator, average=average,
            classifier=classifier,
            ema_decay=config.training.ema_decay,
            color_space=color.COLOR_SPACES[config.networks.color_space],
            generator_optimizer=_make_optimizer(
                config, config.training.learning_rate),
            discriminator_optimizer=_make_optimizer(
                config, config.training.discriminator_learning_rate),
            step=step, num_workers=num_workers)
        if config.networks.generator in ENCODERS:
            _adam_of(state.generator_optimizer).slow_down(
                encoder_unet.encoder_variables(generator),
                config.training.encoder_rate)
        return state


def _make_optimizer(config: Config,
                    learning_rate: float) -> keras.optimizers.Optimizer:
    optimizer = make_adam(learning_rate)
    if config.training.precision == "mixed_float16":
        # Small gradients would underflow in float16; overflows are skipped.
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _adam_of(optimizer: keras.optimizers.Optimizer) -> FusedAdam:
    """Returns the Adam itself, which LossScaleOptimizer wraps."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def make_adam(learning_rate: float) -> keras.optimizers.Optimizer:
    """Returns pix2pix's Adam (Isola et al. 2017, 3.3; epsilon from Torch)."""
    return FusedAdam(learning_rate, beta_1=0.5, beta_2=0.999, epsilon=1e-8)
