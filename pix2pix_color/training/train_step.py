"""One update of pix2pix: a discriminator step, then a generator step."""

from typing import Any, Callable, NamedTuple, Optional

import keras
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


class Gradients(NamedTuple):
    """Gradients of one update, each float32 like its variable.

    Attributes:
      discriminator: of the discriminator's loss, by its trainable variables.
      generator: of the generator's loss, by its trainable variables.
    """

    discriminator: list[tf.Tensor]
    generator: list[tf.Tensor]


TrainStep = Callable[[tf.Tensor, tf.Tensor], StepLosses]
# What becomes of a network's gradients: network, optimizer, loss, gradients;
# returns the gradients as they were applied.
Apply = Callable[[keras.Model, keras.optimizers.Optimizer, tf.Tensor,
                  list[tf.Tensor]], list[tf.Tensor]]


def make_train_step(
        state: TrainState, *, gan_weight: float, l1_weight: float,
        strategy: Optional[tf.distribute.Strategy] = None,
        jit_compile: bool = False) -> TrainStep:
    """Makes the compiled update.

    Under a strategy of several replicas each takes its share of the batch, and
    the losses are those of the whole batch.

    Args:
      state: what is updated in place: networks, optimizers and step.
      gan_weight: weight of the adversarial loss in the generator's.
      l1_weight: weight of the L1 loss in the generator's.
      strategy: the one that the state was made in; none for a single device.
      jit_compile: whether XLA compiles it, on a single device.

    Returns:
      A tf.function of condition float32 [N, S, S, C] and real target float32
      [N, S, S, D], both in -1..1, or per-replica values of these. It raises
      InvalidArgumentError before it applies a gradient that is not finite.
    """
    strategy = strategy or tf.distribute.get_strategy()
    if jit_compile:
        return _asserting_finite(tf.function(
            make_pure_step(state, gan_weight=gan_weight, l1_weight=l1_weight),
            autograph=False, jit_compile=True))

    def replica_step(condition, real_target):
        step_losses, gradients = take_turns(
            state, condition, real_target, gan_weight=gan_weight,
            l1_weight=l1_weight, apply=_descend)
        with tf.control_dependencies([gradients.discriminator[0],
                                      gradients.generator[0]]):
            one = tf.constant(1, tf.int64) + 0  # only of a finite update
        state.step.assign_add(one)
        return step_losses

    @tf.function(autograph=False)
    def train_step(condition: tf.Tensor, real_target: tf.Tensor) -> StepLosses:
        per_replica = strategy.run(replica_step, (condition, real_target))
        return StepLosses(*(
            strategy.reduce(tf.distribute.ReduceOp.MEAN, loss, axis=None)
            for loss in per_replica))

    return train_step


def make_pure_step(
        state: TrainState, *, gan_weight: float, l1_weight: float
        ) -> Callable[[tf.Tensor, tf.Tensor], tuple[StepLosses, tf.Tensor]]:
    """Makes the update as XLA can have it, which knows no assertions.

    Args:
      state: what is updated in place.
      gan_weight: weight of the adversarial loss in the generator's.
      l1_weight: weight of the L1 loss in the generator's.

    Returns:
      A function of condition and real target, to be traced, that returns the
      losses and whether they and all gradients were finite, bool []. From the
      first turn on that was not, nothing is applied.
    """
    def pure_step(condition: tf.Tensor, real_target: tf.Tensor
                  ) -> tuple[StepLosses, tf.Tensor]:
        finite = tf.constant(True)

        def descend_if_finite(network, optimizer, loss, gradients):
            nonlocal finite
            finite &= tf.math.is_finite(_checksum(optimizer, loss, gradients))

            def descend():
                optimizer.apply_gradients(
                    zip(gradients, network.trainable_variables))
                return 0

            tf.cond(finite, descend, lambda: 0)
            return gradients

        step_losses, _ = take_turns(
            state, condition, real_target, gan_weight=gan_weight,
            l1_weight=l1_weight, apply=descend_if_finite)
        state.step.assign_add(tf.cast(finite, tf.int64))
        return step_losses, finite

    return pure_step


def _asserting_finite(step: Callable) -> TrainStep:
    @tf.function(autograph=False)
    def train_step(condition: tf.Tensor, real_target: tf.Tensor) -> StepLosses:
        step_losses, finite = step(condition, real_target)
        with tf.control_dependencies(
                [tf.debugging.Assert(finite, list(step_losses))]):
            return StepLosses(*map(tf.identity, step_losses))

    return train_step


def take_turns(state: TrainState, condition: tf.Tensor,
               real_target: tf.Tensor, *, gan_weight: float, l1_weight: float,
               apply: Apply) -> tuple[StepLosses, Gradients]:
    """The two turns of an update, on one replica.

    The two networks alternate (Isola et al. 2017, 3.3): the generator runs
    once, the discriminator learns from its picture, and the generator then
    learns through the discriminator that has just been updated.

    Args:
      state: the networks and their optimizers.
      condition: float32 [N, S, S, C], in -1..1.
      real_target: float32 [N, S, S, D], in -1..1.
      gan_weight: weight of the adversarial loss in the generator's.
      l1_weight: weight of the L1 loss in the generator's.
      apply: is given each network's gradients as soon as they are known, of
        the loss as its optimizer scales it, which only float16 needs.
    """
    generator, discriminator = state.generator, state.discriminator
    with tf.GradientTape() as generator_tape:
        fake_target = generator(condition, training=True)

    with tf.GradientTape() as discriminator_tape:
        real_logits = discriminator([condition, real_target], training=True)
        fake_logits = discriminator(
            [condition, tf.stop_gradient(fake_target)], training=True)
        real_loss = losses.cross_entropy(real_logits, is_real=True)
        fake_loss = losses.cross_entropy(fake_logits, is_real=False)
        discriminator_loss = losses.discriminator_loss(real_loss, fake_loss)
        scaled_loss = state.discriminator_optimizer.scale_loss(
            discriminator_loss)
    discriminator_gradients = discriminator_tape.gradient(
        scaled_loss, discriminator.trainable_variables)
    discriminator_gradients = apply(
        discriminator, state.discriminator_optimizer, discriminator_loss,
        discriminator_gradients)

    with generator_tape:
        fake_logits = discriminator([condition, fake_target], training=True)
        adversarial_loss = gan_weight * losses.adversarial_loss(fake_logits)
        l1_loss = l1_weight * losses.l1_loss(real_target, fake_target)
        generator_loss = adversarial_loss + l1_loss
        scaled_loss = state.generator_optimizer.scale_loss(generator_loss)
    generator_gradients = generator_tape.gradient(
        scaled_loss, generator.trainable_variables)
    generator_gradients = apply(
        generator, state.generator_optimizer, generator_loss,
        generator_gradients)

    return StepLosses(
        discriminator_real=real_loss,
        discriminator_fake=fake_loss,
        discriminator=discriminator_loss,
        generator_adversarial=adversarial_loss,
        generator_l1=l1_loss,
        generator=generator_loss,
    ), Gradients(discriminator_gradients, generator_gradients)


def _descend(network, optimizer, loss, gradients):
    """Applies gradients once all of them, on every replica, are finite."""
    replica = tf.distribute.get_replica_context()
    total = replica.all_reduce(tf.distribute.ReduceOp.SUM,
                               _checksum(optimizer, loss, gradients))
    finite = tf.debugging.Assert(tf.math.is_finite(total), [total])
    # The optimizer adds the replicas' gradients up; the loss is a mean.
    share = 1.0 / replica.num_replicas_in_sync
    with tf.control_dependencies([finite]):
        gradients = [tf.identity(gradient) if share == 1 else gradient * share
                     for gradient in gradients]
        optimizer.apply_gradients(
            zip(gradients, network.trainable_variables))
    return gradients


def _checksum(optimizer, loss, gradients):
    """float32 [], finite exactly where loss and gradients are.

    Gradients that overflow in float16 are the optimizer's own affair, which
    passes over them and scales the loss down.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return loss
    # A sum is one pass, and as finite as what is in it.
    return loss + tf.add_n([tf.reduce_sum(gradient) for gradient in gradients])


def find_non_finite(
        state: TrainState, condition: Any, real_target: Any, *,
        gan_weight: float, l1_weight: float,
        strategy: Optional[tf.distribute.Strategy] = None) -> list[str]:
    """Names what is not finite in an update that was refused.

    The gradients are taken anew and not applied; batch normalization's
    averages move on as in any update.

    Args:
      state: as the refused update left it.
      condition: that update's, as train_step took it.
      real_target: that update's, as train_step took it.
      gan_weight: as make_train_step was given.
      l1_weight: as make_train_step was given.
      strategy: as make_train_step was given.

    Returns:
      Names, inputs first, then weights, losses and gradients.
    """
    strategy = strategy or tf.distribute.get_strategy()
    networks = {"discriminator": state.discriminator,
                "generator": state.generator}
    named: dict[str, tf.Tensor] = {}

    def replica_check(condition, real_target):
        step_losses, gradients = take_turns(
            state, condition, real_target, gan_weight=gan_weight,
            l1_weight=l1_weight, apply=lambda *given: given[-1])
        named.clear()
        named["condition"] = condition
        named["target"] = real_target
        for name, network in networks.items():
            named.update((f"weight {name}/{variable.path}", variable.value)
                         for variable in network.trainable_variables)
        named.update((f"loss {name}", loss)
                     for name, loss in step_losses._asdict().items())
        for name, network in networks.items():
            named.update(
                (f"gradient {name}/{variable.path}", gradient)
                for variable, gradient in zip(
                    network.trainable_variables, getattr(gradients, name)))
        return tf.stack([
            tf.cast(tf.reduce_any(~tf.math.is_finite(tensor)), tf.int32)
            for tensor in named.values()])

    @tf.function(autograph=False)
    def check():
        return strategy.reduce(
            tf.distribute.ReduceOp.SUM,
            strategy.run(replica_check, (condition, real_target)), axis=None)

    is_bad = check().numpy()
    return [name for name, bad in zip(named, is_bad) if bad]
