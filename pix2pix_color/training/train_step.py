"""One update of pix2pix: a discriminator step, then a generator step."""

from typing import Callable, NamedTuple

import tensorflow as tf

from pix2pix_color import losses
from pix2pix_color.training.train_state import TrainState


class StepLosses(NamedTuple):
    """The losses of one update, each float32 [].

    Attributes:
      discriminator_real: cross-entropy on the photographs.
      discriminator_fake: cross-entropy on the generator's.
      discriminator: what the discriminator's step lowers.
      generator_adversarial: cross-entropy towards being taken for real, times
        its weight.
      generator_l1: mean absolute difference to the photograph, times its
        weight.
      generator: what the generator's step lowers, the sum of these two.
    """

    discriminator_real: tf.Tensor
    discriminator_fake: tf.Tensor
    discriminator: tf.Tensor
    generator_adversarial: tf.Tensor
    generator_l1: tf.Tensor
    generator: tf.Tensor


TrainStep = Callable[[tf.Tensor, tf.Tensor], StepLosses]


def make_train_step(state: TrainState, *, gan_weight: float,
                    l1_weight: float) -> TrainStep:
    """Makes the compiled update.

    The two networks take turns (Isola et al. 2017, 3.3): the generator runs
    once, the discriminator learns from its picture, and the generator then
    learns through the discriminator that has just been updated.

    Args:
      state: what is updated in place: networks, optimizers and step.
      gan_weight: weight of the adversarial loss in the generator's.
      l1_weight: weight of the L1 loss in the generator's.

    Returns:
      A tf.function of condition float32 [N, S, S, C] and real target float32
      [N, S, S, D], both in -1..1.
    """
    generator, discriminator = state.generator, state.discriminator

    @tf.function(autograph=False)
    def train_step(condition: tf.Tensor, real_target: tf.Tensor) -> StepLosses:
        with tf.GradientTape() as generator_tape:
            fake_target = generator(condition, training=True)

        with tf.GradientTape() as discriminator_tape:
            real_logits = discriminator([condition, real_target], training=True)
            fake_logits = discriminator(
                [condition, tf.stop_gradient(fake_target)], training=True)
            real_loss = losses.cross_entropy(real_logits, is_real=True)
            fake_loss = losses.cross_entropy(fake_logits, is_real=False)
            discriminator_loss = losses.discriminator_loss(real_loss, fake_loss)
        _descend(state.discriminator_optimizer, discriminator_tape,
                 discriminator_loss, discriminator.trainable_variables)

        with generator_tape:
            fake_logits = discriminator([condition, fake_target], training=True)
            adversarial_loss = gan_weight * losses.adversarial_loss(fake_logits)
            l1_loss = l1_weight * losses.l1_loss(real_target, fake_target)
            generator_loss = adversarial_loss + l1_loss
        _descend(state.generator_optimizer, generator_tape, generator_loss,
                 generator.trainable_variables)

        state.step.assign_add(1)
        return StepLosses(
            discriminator_real=real_loss,
            discriminator_fake=fake_loss,
            discriminator=discriminator_loss,
            generator_adversarial=adversarial_loss,
            generator_l1=l1_loss,
            generator=generator_loss)

    return train_step


def _descend(optimizer, tape, loss, variables):
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
