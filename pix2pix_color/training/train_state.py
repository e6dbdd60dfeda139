"""Everything that training changes, in one place: what a checkpoint holds."""

from typing import Any

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color.config import Config
from pix2pix_color.networks import patchgan, unet

GENERATORS = {"unet": unet.build_unet}
DISCRIMINATORS = {"patchgan": patchgan.build_patchgan}


class TrainState(tf.Module):
    """Networks, optimizers, and how far training has come.

    Attributes:
      generator: condition -> target.
      discriminator: [condition, target] -> logits.
      generator_optimizer: Adam with its moments.
      discriminator_optimizer: Adam with its moments.
      step: int64 variable, number of completed updates.
      next_ordinal: int64 variable, the first example of the training stream
        (data_pipelines.pipeline) that was not trained on.
      dropout_seeds: int variables, the state of each dropout layer's generator
        of random numbers, which Keras would leave out of a checkpoint.
    """

    def __init__(self, *, generator: keras.Model, discriminator: keras.Model,
                 generator_optimizer: keras.optimizers.Optimizer,
                 discriminator_optimizer: keras.optimizers.Optimizer) -> None:
        super().__init__(name="train_state")
        self.generator = generator
        self.discriminator = discriminator
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.next_ordinal = tf.Variable(0, dtype=tf.int64, name="next_ordinal")
        self.dropout_seeds = [
            layer.seed_generator.state.value for layer in generator.layers
            if isinstance(layer, keras.layers.Dropout)]
        # Keras makes an optimizer's moments on first use, which is too late
        # for restoring them and not allowed inside a tf.function.
        generator_optimizer.build(generator.trainable_variables)
        discriminator_optimizer.build(discriminator.trainable_variables)

    def served_generator(self, config: Config) -> keras.Model:
        """The generator as it is served: the same weights, in float32."""
        generator = build_generator(config, precision="float32")
        generator.set_weights(self.generator.get_weights())
        return generator

    @classmethod
    def create(cls, config: Config, *, precision: str) -> "TrainState":
        """Makes the state that a run begins with.

        Args:
          config: the run's; its seed determines the initial weights.
          precision: `float32` or `mixed_bfloat16`.
        """
        keras.utils.set_random_seed(config.training.seed)
        return cls(
            generator=build_generator(config, precision=precision),
            discriminator=DISCRIMINATORS[config.networks.discriminator](
                **_shape(config, precision)),
            generator_optimizer=make_adam(config.training.learning_rate),
            discriminator_optimizer=make_adam(
                config.training.discriminator_learning_rate))


def build_generator(config: Config, *, precision: str) -> keras.Model:
    """Builds the generator that a Config describes, with fresh weights."""
    return GENERATORS[config.networks.generator](
        dropout=config.networks.dropout, **_shape(config, precision))


def _shape(config: Config, precision: str) -> dict[str, Any]:
    space = color.COLOR_SPACES[config.networks.color_space]
    return dict(image_size=config.data.image_size,
                condition_channels=space.condition_channels,
                target_channels=space.target_channels,
                base_filters=config.networks.base_filters,
                dtype=precision)


def make_adam(learning_rate: float) -> keras.optimizers.Optimizer:
    """Adam as pix2pix sets it (Isola et al. 2017, 3.3; epsilon from Torch)."""
    return keras.optimizers.Adam(learning_rate, beta_1=0.5, beta_2=0.999,
                                 epsilon=1e-8)
