"""Everything that training changes, in one place: what a checkpoint holds."""

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
    """Networks, optimizers, and how far training has come.

    Nothing else has an influence on what comes next: order, augmentation and
    dropout follow from the run's seed and from these counters.

    Attributes:
      generator: condition -> target.
      discriminator: [condition, target] -> logits.
      generator_optimizer: Adam with its moments.
      discriminator_optimizer: Adam with its moments.
      average: a generator with the moving average of generator's weights
        (moving_average.py), or None.
      ema_decay: how slowly the average moves.
      color_space: how condition and target become pictures.
      classifier: the frozen network of the semantic loss, or None; it is no
        part of what is saved.
      step: int64 variable, number of completed updates.
      next_ordinals: int64 variable [num_workers], the first example of each
        worker's part of the training stream (data_pipelines.pipeline) that was
        not trained on.
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
        # Of any length, since another number of workers may have saved it.
        self.next_ordinals = tf.Variable(
            [0] * num_workers, dtype=tf.int64, shape=[None],
            name="next_ordinals")
        # Keras makes an optimizer's moments on first use, which is too late
        # for restoring them and not allowed inside a tf.function.
        generator_optimizer.build(generator.trainable_variables)
        discriminator_optimizer.build(discriminator.trainable_variables)

    @property
    def loss_classifier(self) -> Optional[str]:
        """The name of the semantic loss's network, if there is one."""
        return None if self.classifier is None else self.classifier.name

    @property
    def step_number(self) -> int:
        """The step as a number, on one device or many."""
        return int(self.step.numpy())

    def tensors(self) -> dict[str, Any]:
        """What a checkpoint holds, by its names on disk."""
        average = {} if self.average is None else {"average": self.average}
        return dict(
            generator=self.generator, discriminator=self.discriminator,
            generator_optimizer=self.generator_optimizer,
            discriminator_optimizer=self.discriminator_optimizer,
            step=self.step, next_ordinals=self.next_ordinals, **average)

    def variables_of_all(self) -> list[tf.Variable]:
        """The variables that must be equal on all workers."""
        return [*(variable.value for part in
                  (self.generator, self.discriminator,
                   self.generator_optimizer, self.discriminator_optimizer,
                   self.average)
                  if part is not None for variable in part.variables),
                self.step, self.next_ordinals]

    def share_out(self, num_workers: int) -> None:
        """Makes next_ordinals fit another number of workers than saved it.

        Exact, unless photographs were rejected: then it is off by as many.
        """
        if len(self.next_ordinals.numpy()) != num_workers:
            done = int(tf.reduce_sum(self.next_ordinals))
            self.next_ordinals.assign([done // num_workers] * num_workers)

    def set_learning_rates(self, *, generator: float,
                           discriminator: float) -> None:
        """Sets both optimizers' rates for the updates that follow."""
        self.generator_optimizer.learning_rate = generator
        self.discriminator_optimizer.learning_rate = discriminator

    def forget_generator_moments(self) -> None:
        """Begins the generator's Adam anew, with moments of zero.

        Where some variables have not been updated so far, their moments are
        zero while Adam's correction for that (Kingma and Ba 2015, algorithm
        1) would be over: their first steps would be 16 times too long.
        """
        adam = _adam_of(self.generator_optimizer)
        for variable in (adam.iterations, *adam._momentums,
                         *adam._velocities):
            variable.assign(tf.zeros(variable.shape, variable.dtype))

    @property
    def inference_generator(self) -> keras.Model:
        """The generator that is evaluated, drawn and served."""
        return self.generator if self.average is None else self.average

    def served_generator(
            self, config: Config,
            seed: Optional[Callable[[], tf.Tensor]] = None) -> keras.Model:
        """The generator as it is served: the same weights, in float32.

        Args:
          config: the run's.
          seed: returns int64 [], what its noise at inference follows from;
            None leaves it without.
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
        """Makes the state that a run begins with, in the current strategy.

        Args:
          config: the run's; its seed determines the initial weights.
          precision: policy of the networks; float16 needs the config to say
            so as well, which scales the losses.
          num_workers: how many processes share the training stream.
          pretrained: whether the encoder begins with --encoder_weights; what a
            checkpoint will be restored into does not need the file.
          learning: whether the state will be trained further, which takes the
            semantic loss's classifier.

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
        # Small gradients would be zero in float16; what overflows is skipped.
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _adam_of(optimizer: keras.optimizers.Optimizer) -> FusedAdam:
    """Returns an optimizer's Adam; a LossScaleOptimizer has it inside."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def make_adam(learning_rate: float) -> keras.optimizers.Optimizer:
    """Adam as pix2pix sets it (Isola et al. 2017, 3.3; epsilon from Torch)."""
    return FusedAdam(learning_rate, beta_1=0.5, beta_2=0.999, epsilon=1e-8)
