"""One update of pix2pix: a discriminator step, then a generator step."""

import functools
from typing import Any, Callable, NamedTuple, Optional

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color import losses, semantic_loss
from pix2pix_color.networks import encoder_unet
from pix2pix_color.training import moving_average
from pix2pix_color.training.train_state import TrainState

# Losses of R, G and B are taken at the size that colors are predicted in, but
# no smaller than this.
MIN_PICTURE_SIZE = 128


class Objective(NamedTuple):
    """What one update is for; the defaults are pix2pix's.

    Attributes:
      gan_loss: a key of losses.GAN_LOSSES.
      gan_weight: weight of the adversarial loss in the generator's; with 0 the
        discriminator has no say in it.
      l1_weight: weight of the L1 loss in the generator's.
      psnr_weight: weight of losses.psnr_loss in it.
      colorfulness_weight: weight of losses.colorfulness_loss in it.
      semantic_weight: weight of semantic_loss in it.
      label_smoothing: of the real labels, in the discriminator's turn alone.
      discriminator_updates: how often the discriminator learns in its turn,
        each time from the same real and fake targets; 0 leaves its turn out.
      freeze_encoder: whether the generator's pretrained encoder stays as it
        is; its batch normalization still normalizes as in training.
      frozen_stages: how many of the encoder's stages, from the input, stay as
        they are in any case; above 0, the depthwise kernels of the others too.
    """

    gan_loss: str = "vanilla"
    gan_weight: float = 1.0
    l1_weight: float = 100.0
    psnr_weight: float = 0.0
    colorfulness_weight: float = 0.0
    semantic_weight: float = 0.0
    label_smoothing: float = 0.0
    discriminator_updates: int = 1
    freeze_encoder: bool = False
    frozen_stages: int = 0


class StepLosses(NamedTuple):
    """The losses of one update, each float32 [].

    Those of the discriminator are None in an update without its turn, and of
    the last time where it learned more than once; those that an objective
    gives no weight are None.

    Attributes:
      discriminator_real: how it judges the photographs.
      discriminator_fake: how it judges the generator's.
      discriminator: what the discriminator's step lowers.
      generator_adversarial: how far the discriminator is from taking the
        generator's for real, times its weight.
      generator_l1: mean absolute difference to the photograph, times its
        weight.
      generator: what the generator's step lowers, the sum of all of its.
      generator_psnr: decibels that pictures lack, times their weight.
      generator_colorfulness: the distance to the photographs' colorfulness,
        times its weight.
      generator_semantic: the distance to what a classifier sees in the
        photographs, times its weight.
    """

    discriminator_real: Optional[tf.Tensor]
    discriminator_fake: Optional[tf.Tensor]
    discriminator: Optional[tf.Tensor]
    generator_adversarial: tf.Tensor
    generator_l1: tf.Tensor
    generator: tf.Tensor
    generator_psnr: Optional[tf.Tensor] = None
    generator_colorfulness: Optional[tf.Tensor] = None
    generator_semantic: Optional[tf.Tensor] = None


class Gradients(NamedTuple):
    """Gradients of one update, each float32 like its variable.

    Attributes:
      discriminator: of the discriminator's loss, by its trainable variables;
        none in an update without its turn.
      generator: of the generator's loss, by generator_variables.
    """

    discriminator: list[tf.Tensor]
    generator: list[tf.Tensor]


TrainStep = Callable[..., StepLosses]
# What becomes of a network's gradients: variables, optimizer, loss, gradients;
# returns the gradients as they were applied.
Apply = Callable[[list[Any], keras.optimizers.Optimizer, tf.Tensor,
                  list[tf.Tensor]], list[tf.Tensor]]


def make_train_step(
        state: TrainState, objective: Objective = Objective(), *,
        strategy: Optional[tf.distribute.Strategy] = None,
        jit_compile: bool = False) -> TrainStep:
    """Makes the compiled update.

    Under a strategy of several replicas each takes its share of the batch, and
    the losses are those of the whole batch.

    Args:
      state: what is updated in place: networks, optimizers, step and the
        average of the generator's weights.
      objective: what the update is for.
      strategy: the one that the state was made in; none for a single device.
      jit_compile: whether XLA compiles it, on a single device.

    Returns:
      A tf.function of condition float32 [N, S, S, C], real target float32
      [N, S, S, D] and, if it is not the condition, what the generator is shown
      in its place, float32 [N, S, S, C], all in -1..1, or per-replica values
      of these. It raises InvalidArgumentError before it applies a gradient
      that is not finite.
    """
    strategy = strategy or tf.distribute.get_strategy()
    if jit_compile:
        return _asserting_finite(tf.function(
            make_pure_step(state, objective), autograph=False,
            jit_compile=True))

    def replica_step(condition, real_target, shown):
        step_losses, gradients = take_turns(
            state, condition, real_target, shown, objective=objective,
            apply=_descend,
            decode=color.compiled(state.color_space.decode_floats))
        with tf.control_dependencies(
                [of_network[0] for of_network in gradients if of_network]):
            one = tf.constant(1, tf.int64) + 0  # only of a finite update
        state.step.assign_add(one)
        return step_losses

    @tf.function(autograph=False)
    def train_step(condition: tf.Tensor, real_target: tf.Tensor,
                   shown: Optional[tf.Tensor] = None) -> StepLosses:
        per_replica = strategy.run(
            replica_step, (condition, real_target, shown))
        moving_average.follow(state, strategy=strategy)
        return StepLosses(*(
            None if loss is None else
            strategy.reduce(tf.distribute.ReduceOp.MEAN, loss, axis=None)
            for loss in per_replica))

    return train_step


def make_pure_step(
        state: TrainState, objective: Objective = Objective()
        ) -> Callable[..., tuple[StepLosses, tf.Tensor]]:
    """Makes the update as XLA can have it, which knows no assertions.

    Args:
      state: what is updated in place.
      objective: what the update is for.

    Returns:
      A function of condition, real target and, if it is another, what the
      generator is shown, to be traced, that returns the losses and whether
      they and all gradients were finite, bool []. From the first turn on that
      was not, nothing is applied.
    """
    def pure_step(condition: tf.Tensor, real_target: tf.Tensor,
                  shown: Optional[tf.Tensor] = None
                  ) -> tuple[StepLosses, tf.Tensor]:
        finite = tf.constant(True)

        def descend_if_finite(variables, optimizer, loss, gradients):
            nonlocal finite
            finite &= tf.math.is_finite(_checksum(optimizer, loss, gradients))

            def descend():
                optimizer.apply_gradients(zip(gradients, variables))
                return 0

            tf.cond(finite, descend, lambda: 0)
            return gradients

        step_losses, _ = take_turns(
            state, condition, real_target, shown, objective=objective,
            apply=descend_if_finite,
            decode=state.color_space.decode_floats)  # compiled with the rest
        state.step.assign_add(tf.cast(finite, tf.int64))

        def follow():
            moving_average.follow(state, strategy=tf.distribute.get_strategy())
            return 0

        if state.average is not None:
            tf.cond(finite, follow, lambda: 0)
        return step_losses, finite

    return pure_step


def _asserting_finite(step: Callable) -> TrainStep:
    @tf.function(autograph=False)
    def train_step(condition: tf.Tensor, real_target: tf.Tensor,
                   shown: Optional[tf.Tensor] = None) -> StepLosses:
        step_losses, finite = step(condition, real_target, shown)
        with tf.control_dependencies(
                [tf.debugging.Assert(finite, [step_losses.generator])]):
            return StepLosses(*(
                None if loss is None else tf.identity(loss)
                for loss in step_losses))

    return train_step


def take_turns(state: TrainState, condition: tf.Tensor,
               real_target: tf.Tensor, shown: Optional[tf.Tensor] = None, *,
               objective: Objective, apply: Apply,
               decode: Callable) -> tuple[StepLosses, Gradients]:
    """The two turns of an update, on one replica.

    The two networks alternate (Isola et al. 2017, 3.3): the generator runs
    once, the discriminator learns from its picture, and the generator then
    learns through the discriminator that has just been updated.

    Args:
      state: the networks and their optimizers.
      condition: float32 [N, S, S, C], in -1..1.
      real_target: float32 [N, S, S, D], in -1..1.
      shown: float32 [N, S, S, C], what the generator is given in place of the
        condition, which all losses take; None for the condition.
      objective: what the update is for.
      apply: is given each network's gradients as soon as they are known, of
        the loss as its optimizer scales it, which only float16 needs.
      decode: decode_floats of the color space, for losses of R, G and B.
    """
    generator, discriminator = state.generator, state.discriminator
    judge, fool = losses.GAN_LOSSES[objective.gan_loss]
    smoothed = ({"label_smoothing": objective.label_smoothing}
                if objective.label_smoothing else {})
    with tf.GradientTape() as generator_tape:
        fake_target = generator(condition if shown is None else shown,
                                training=True)

    real_loss = fake_loss = discriminator_loss = None
    discriminator_gradients: list[tf.Tensor] = []
    for _ in range(objective.discriminator_updates):
        with tf.GradientTape() as discriminator_tape:
            real_logits = discriminator(
                [condition, real_target], training=True)
            fake_logits = discriminator(
                [condition, tf.stop_gradient(fake_target)], training=True)
            real_loss = judge(real_logits, is_real=True, **smoothed)
            fake_loss = judge(fake_logits, is_real=False)
            discriminator_loss = losses.discriminator_loss(
                real_loss, fake_loss)
            scaled_loss = state.discriminator_optimizer.scale_loss(
                discriminator_loss)
        variables = discriminator.trainable_variables
        discriminator_gradients = apply(
            variables, state.discriminator_optimizer, discriminator_loss,
            discriminator_tape.gradient(scaled_loss, variables))

    with generator_tape:
        adversarial_loss = tf.constant(0.0)
        if objective.gan_weight:
            fake_logits = discriminator([condition, fake_target],
                                        training=True)
            adversarial_loss = objective.gan_weight * fool(fake_logits)
        l1_loss = objective.l1_weight * losses.l1_loss(
            real_target, fake_target)
        of_pictures = _losses_of_pictures(
            state, decode, condition, real_target, fake_target,
            objective=objective)
        generator_loss = tf.add_n(
            [adversarial_loss, l1_loss, *of_pictures.values()])
        scaled_loss = state.generator_optimizer.scale_loss(generator_loss)
    variables = generator_variables(state, objective)
    generator_gradients = apply(
        variables, state.generator_optimizer, generator_loss,
        generator_tape.gradient(scaled_loss, variables))

    return StepLosses(
        discriminator_real=real_loss,
        discriminator_fake=fake_loss,
        discriminator=discriminator_loss,
        generator_adversarial=adversarial_loss,
        generator_l1=l1_loss,
        generator=generator_loss,
        **of_pictures,
    ), Gradients(discriminator_gradients, generator_gradients)


def _losses_of_pictures(state, decode, condition, real_target, fake_target, *,
                        objective) -> dict[str, tf.Tensor]:
    """The losses that are taken of R, G and B, times their weights."""
    weighted: dict[str, tuple[float, Callable[..., tf.Tensor]]] = {
        "generator_psnr": (objective.psnr_weight, losses.psnr_loss),
        "generator_colorfulness": (objective.colorfulness_weight,
                                   losses.colorfulness_loss),
        "generator_semantic": (objective.semantic_weight, functools.partial(
            semantic_loss.semantic_loss, classifier=state.classifier))}
    wanted = {name: each for name, each in weighted.items() if each[0]}
    if not wanted:  # and nothing to decode
        return {}
    scale = encoder_unet.color_scale(state.generator)
    if scale > 1 and condition.shape[1] >= scale * MIN_PICTURE_SIZE:
        condition, real_target, fake_target = (
            tf.nn.avg_pool2d(pictures, scale, scale, "VALID")
            for pictures in (condition, real_target, fake_target))
    colors = [decode(condition, target)
              for target in (real_target, fake_target)]
    return {name: weight * loss(*colors)
            for name, (weight, loss) in wanted.items()}


def generator_variables(state: TrainState, objective: Objective) -> list[Any]:
    """What the generator's turn updates: all but an encoder that is frozen.

    trainable=False would make the encoder's batch normalization that of
    inference, even in training; to leave its variables out does not.
    """
    frozen = encoder_unet.encoder_variables(
        state.generator, num_stages=encoder_unet.ALL_STAGES
        if objective.freeze_encoder else objective.frozen_stages)
    if objective.frozen_stages:
        frozen += [
            layer.kernel for layer in state.generator.layers
            if isinstance(layer, keras.layers.DepthwiseConv2D)]
    paths = {variable.path for variable in frozen}
    return [variable for variable in state.generator.trainable_variables
            if variable.path not in paths]


def _descend(variables, optimizer, loss, gradients):
    """Applies gradients once all of them, on every replica, are finite."""
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        gradients = [_before_cast(gradient) for gradient in gradients]
    total = replica.all_reduce(tf.distribute.ReduceOp.SUM,
                               _checksum(optimizer, loss, gradients))
    finite = tf.debugging.Assert(tf.math.is_finite(total), [total])
    # The optimizer adds the replicas' gradients up; the loss is a mean.
    share = 1.0 / replica.num_replicas_in_sync
    with tf.control_dependencies([finite]):
        gradients = [tf.identity(gradient) if share == 1 else gradient * share
                     for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, variables))
    return gradients


def _before_cast(gradient):
    """The same numbers in bfloat16 where these were cast from it.

    Half the memory to check and to descend by, which counts at batch 1.
    """
    if tf.config.list_logical_devices("GPU") or gradient.op.type != "Cast":
        return gradient
    original, = gradient.op.inputs
    return original if original.dtype == tf.bfloat16 else gradient


def _checksum(optimizer, loss, gradients):
    """float32 [], finite exactly where loss and gradients are.

    Gradients that overflow in float16 are the optimizer's own affair, which
    passes over them and scales the loss down.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return loss
    # A sum is one pass, and as finite as what is in it.
    return loss + tf.add_n([tf.cast(tf.reduce_sum(gradient), tf.float32)
                            for gradient in gradients])


def find_non_finite(
        state: TrainState, condition: Any, real_target: Any,
        shown: Any = None, *, objective: Objective = Objective(),
        strategy: Optional[tf.distribute.Strategy] = None) -> list[str]:
    """Names what is not finite in an update that was refused.

    The gradients are taken anew and not applied; batch normalization's
    averages move on as in any update.

    Args:
      state: as the refused update left it.
      condition: that update's, as train_step took it.
      real_target: that update's, as train_step took it.
      shown: that update's, as train_step took it.
      objective: as make_train_step was given.
      strategy: as make_train_step was given.

    Returns:
      Names, inputs first, then weights, losses and gradients.
    """
    strategy = strategy or tf.distribute.get_strategy()
    networks = {"discriminator": state.discriminator,
                "generator": state.generator}
    learning = {"discriminator": state.discriminator.trainable_variables,
                "generator": generator_variables(state, objective)}
    named: dict[str, tf.Tensor] = {}

    def replica_check(condition, real_target, shown):
        step_losses, gradients = take_turns(
            state, condition, real_target, shown, objective=objective,
            apply=lambda *given: given[-1],
            decode=state.color_space.decode_floats)
        named.clear()
        named["condition"] = condition
        named["target"] = real_target
        if shown is not None:
            named["shown"] = shown
        for name, network in networks.items():
            named.update((f"weight {name}/{variable.path}", variable.value)
                         for variable in network.trainable_variables)
        named.update((f"loss {name}", loss)
                     for name, loss in step_losses._asdict().items()
                     if loss is not None)
        for name, variables in learning.items():
            named.update(
                (f"gradient {name}/{variable.path}", gradient)
                for variable, gradient in zip(
                    variables, getattr(gradients, name)))
        return tf.stack([
            tf.cast(tf.reduce_any(~tf.math.is_finite(tensor)), tf.int32)
            for tensor in named.values()])

    @tf.function(autograph=False)
    def check():
        return strategy.reduce(
            tf.distribute.ReduceOp.SUM,
            strategy.run(replica_check, (condition, real_target, shown)),
            axis=None)

    is_bad = check().numpy()
    return [name for name, bad in zip(named, is_bad) if bad]
