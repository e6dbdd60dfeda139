"""One update of pix2pix: a discriminator step, then a generator step."""

import functools
from typing import Any, Callable, NamedTuple, Optional

import keras
import tensorflow as tf

from data_pipelines import color
from pix2pix_color import color_bins, losses, semantic_loss
from pix2pix_color.networks import encoder_unet
from pix2pix_color.training import moving_average
from pix2pix_color.training.train_state import TrainState

# Losses of R, G and B are taken at the resolution that colors are predicted at,
# but at this size or more, in pixels.
MIN_PICTURE_SIZE = 128
# The classification head learns at every fourth place of each row and column of
# its features: neighbors have nearly the same color.
BINS_STEP = 4


class Objective(NamedTuple):
    """Loss weights and update counts of one training step.

    The defaults are pix2pix's.

    Attributes:
      gan_loss: a key of losses.GAN_LOSSES.
      gan_weight: weight of the adversarial loss in the generator's loss; 0
        leaves the discriminator out of it.
      l1_weight: weight of losses.l1_loss.
      psnr_weight: weight of losses.psnr_loss.
      colorfulness_weight: weight of losses.colorfulness_loss.
      semantic_weight: weight of semantic_loss.
      label_smoothing: how far below 1 the label of real targets lies, in the
        discriminator's loss only.
      discriminator_updates: how often the discriminator learns before the
        generator does, each time from the same targets; 0 skips its turn.
      freeze_encoder: whether the generator's pretrained encoder keeps its
        weights. Its batch normalization still normalizes as in training.
      frozen_stages: number of encoder stages, counted from the input, that
        always keep their weights; above 0, the depthwise kernels of the other
        stages do too.
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

    A loss that the objective gives no weight is None, and so are the
    discriminator's where it skips its turn. If it learns several times, these
    are the losses of the last time.

    Attributes:
      discriminator_real: the discriminator's loss on real targets.
      discriminator_fake: the discriminator's loss on fake targets.
      discriminator: half of their sum, which the discriminator minimizes.
      generator_adversarial: the generator's GAN loss, weighted.
      generator_l1: mean absolute difference to the real target, weighted.
      generator: the sum of the weighted losses, which the generator minimizes.
      generator_psnr: losses.psnr_loss, weighted.
      generator_colorfulness: losses.colorfulness_loss, weighted.
      generator_semantic: semantic_loss, weighted.
      generator_bins: color_bins.bins_loss; its gradient reaches the
        classification head alone.
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
    generator_bins: Optional[tf.Tensor] = None


TrainStep = Callable[..., StepLosses]


def make_train_step(
        state: TrainState, objective: Objective = Objective(), *,
        strategy: Optional[tf.distribute.Strategy] = None,
        jit_compile: bool = False) -> TrainStep:
    """Makes the compiled update.

    It does not look for losses or gradients that are not finite: whoever reads
    the losses does. Gradients that overflow in float16 are skipped by
    LossScaleOptimizer.

    Args:
      state: the networks, optimizers, step and average to update in place.
      objective: loss weights and update counts.
      strategy: the strategy that the state was made in; None for one device.
        Each replica takes its share of the batch.
      jit_compile: whether XLA compiles the whole update, on one device only.

    Returns:
      A tf.function of the condition, float32 [N, S, S, C], the real target,
      float32 [N, S, S, D], and optionally `shown`, float32 [N, S, S, C], which
      the generator sees in place of the condition, and `hints`, float32
      [N, S/2, S/2, D + 1], for a generator that takes them; all in -1..1, or
      per-replica values of these. It returns the losses of the whole batch.
    """
    strategy = strategy or tf.distribute.get_strategy()
    decode = state.color_space.decode_floats
    if not jit_compile:
        decode = color.compiled(decode)

    def replica_step(condition, real_target, shown, hints):
        step_losses = update_networks(
            state, condition, real_target, shown, hints, objective=objective,
            decode=decode)
        state.step.assign_add(1)
        return step_losses

    @tf.function(autograph=False, jit_compile=jit_compile or None)
    def train_step(condition: tf.Tensor, real_target: tf.Tensor,
                   shown: Optional[tf.Tensor] = None,
                   hints: Optional[tf.Tensor] = None) -> StepLosses:
        per_replica = strategy.run(
            replica_step, (condition, real_target, shown, hints))
        moving_average.update(state, strategy=strategy)
        return StepLosses(*(
            None if loss is None else
            strategy.reduce(tf.distribute.ReduceOp.MEAN, loss, axis=None)
            for loss in per_replica))

    return train_step


def update_networks(state: TrainState, condition: tf.Tensor,
                    real_target: tf.Tensor, shown: Optional[tf.Tensor],
                    hints: Optional[tf.Tensor], *, objective: Objective,
                    decode: Callable) -> StepLosses:
    """Updates the discriminator, then the generator, on one replica.

    The networks alternate (Isola et al. 2017, section 3.3). The generator runs
    once. The discriminator learns from its output, and the generator then
    learns through the updated discriminator.

    Args:
      state: the networks and their optimizers.
      condition: float32 [N, S, S, C], in -1..1.
      real_target: float32 [N, S, S, D], in -1..1.
      shown: float32 [N, S, S, C], what the generator sees in place of the
        condition; None for the condition. All losses take the condition.
      hints: float32 [N, S/2, S/2, D + 1], or None. Photographs with hints
        do not count in the colorfulness loss: the hints decide how colorful
        they are.
      objective: loss weights and update counts.
      decode: decode_floats of the color space, for losses of R, G and B.
    """
    generator, discriminator = state.generator, state.discriminator
    gan_loss = losses.GAN_LOSSES[objective.gan_loss]
    smoothed = ({"label_smoothing": objective.label_smoothing}
                if objective.label_smoothing else {})
    with tf.GradientTape() as generator_tape:
        fake_target, features = _generate(
            generator, condition if shown is None else shown, hints)

    real_loss = fake_loss = discriminator_loss = None
    for _ in range(objective.discriminator_updates):
        with tf.GradientTape() as discriminator_tape:
            real_logits = discriminator(
                [condition, real_target], training=True)
            fake_logits = discriminator(
                [condition, tf.stop_gradient(fake_target)], training=True)
            real_loss = gan_loss.discriminator(
                real_logits, is_real=True, **smoothed)
            fake_loss = gan_loss.discriminator(fake_logits, is_real=False)
            discriminator_loss = losses.discriminator_loss(
                real_loss, fake_loss)
            scaled_loss = state.discriminator_optimizer.scale_loss(
                discriminator_loss)
        _descend(discriminator_tape, scaled_loss,
                 discriminator.trainable_variables,
                 state.discriminator_optimizer)

    with generator_tape:
        adversarial_loss = tf.constant(0.0)
        if objective.gan_weight:
            fake_logits = discriminator([condition, fake_target],
                                        training=True)
            adversarial_loss = (objective.gan_weight
                                * gan_loss.generator(fake_logits))
        l1_loss = objective.l1_weight * losses.l1_loss(
            real_target, fake_target)
        picture_losses = _picture_losses(
            state, decode, condition, real_target, fake_target, hints,
            objective=objective)
        if features is not None:
            picture_losses["generator_bins"] = _bins_loss(
                generator, features, real_target)
        generator_loss = tf.add_n(
            [adversarial_loss, l1_loss, *picture_losses.values()])
        scaled_loss = state.generator_optimizer.scale_loss(generator_loss)
    _descend(generator_tape, scaled_loss, generator_variables(state, objective),
             state.generator_optimizer)

    return StepLosses(
        discriminator_real=real_loss,
        discriminator_fake=fake_loss,
        discriminator=discriminator_loss,
        generator_adversarial=adversarial_loss,
        generator_l1=l1_loss,
        generator=generator_loss,
        **picture_losses)


def _generate(generator, condition, hints):
    """Returns the target and the classification head's features, or None."""
    inputs = encoder_unet.inputs_of(generator, condition, hints)
    if not encoder_unet.has_hint_inputs(generator):
        return generator(inputs, training=True), None
    return encoder_unet.with_features(generator)(inputs, training=True)


def _bins_loss(generator, features, real_target):
    """Compares the head's prediction with the photograph, at some places."""
    size = real_target.shape[1] // features.shape[1]
    ab = color.AB_SCALE * tf.nn.avg_pool2d(real_target, size, size, "VALID")
    features, ab = (values[:, BINS_STEP // 2::BINS_STEP,
                           BINS_STEP // 2::BINS_STEP]
                    for values in (features, ab))
    return color_bins.bins_loss(encoder_unet.bins_logits(
        generator, tf.stop_gradient(features)), ab)


def _picture_losses(state, decode, condition, real_target, fake_target, hints,
                    *, objective) -> dict[str, tf.Tensor]:
    """Returns the weighted losses of R, G and B, by their StepLosses name."""
    counted = None if hints is None else 1.0 - tf.reduce_max(
        hints[..., -1], axis=[1, 2])
    weighted: dict[str, tuple[float, Callable[..., tf.Tensor]]] = {
        "generator_psnr": (objective.psnr_weight, losses.psnr_loss),
        "generator_colorfulness": (
            objective.colorfulness_weight, functools.partial(
                losses.colorfulness_loss, counted=counted)),
        "generator_semantic": (objective.semantic_weight, functools.partial(
            semantic_loss.semantic_loss, classifier=state.classifier))}
    wanted = {name: each for name, each in weighted.items() if each[0]}
    if not wanted:  # decoding takes time
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
    """Returns the generator's variables to update: all that are not frozen.

    Setting trainable=False on the encoder instead would make its batch
    normalization use the moving averages, even in training.
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


def _descend(tape, loss, variables, optimizer) -> None:
    """Updates variables by the gradients of a loss that a tape recorded."""
    gradients = tape.gradient(loss, variables)
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    if replicas == 1:
        gradients = [_before_cast(gradient) for gradient in gradients]
    else:  # the optimizer sums over replicas, and the loss is a mean
        gradients = [gradient / replicas for gradient in gradients]
    optimizer.apply_gradients(zip(gradients, variables))


def _before_cast(gradient):
    """Returns the bfloat16 tensor that a float32 gradient was cast from.

    It holds the same numbers in half the memory, which is faster at batch 1.
    Other gradients are returned as they are.
    """
    if tf.config.list_logical_devices("GPU") or gradient.op.type != "Cast":
        return gradient
    original, = gradient.op.inputs
    return original if original.dtype == tf.bfloat16 else gradient
