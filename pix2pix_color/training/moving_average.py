"""The moving average of a generator's weights, which often colors better.

An average over the last updates of a GAN oscillates less than the weights
themselves (Yazici et al. 2019, arXiv:1806.04498). After t updates the old
average weighs min(decay, t / (9 + t)), as with num_updates of
tf.train.ExponentialMovingAverage, so the initial weights are soon forgotten.
Batch normalization's statistics are averaged too: they describe the last ten
batches under other weights.
"""

import tensorflow as tf

from pix2pix_color.training.train_state import TrainState


def update(state: TrainState, *, strategy: tf.distribute.Strategy) -> None:
    """Moves the state's average, if it has one, towards the present weights.

    Call it across replicas, after their update; each averages its own copy.

    Args:
      state: its step counts the update just made.
      strategy: the strategy that the state was made in.
    """
    if state.average is None:
        return
    num_updates = tf.cast(state.step, tf.float32)
    kept = tf.minimum(state.ema_decay, num_updates / (9.0 + num_updates))

    def approach(average, weight):
        average.assign_sub((1.0 - kept) * (average - weight))

    for average, weight in zip(state.average.variables,
                               state.generator.variables, strict=True):
        strategy.extended.update(average.value, approach,
                                 args=(weight.value,))
