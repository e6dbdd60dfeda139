"""The moving average of a generator's weights, which often colors better.

An average over the last updates of a GAN goes around less than any of them
(Yazici et al. 2019, arXiv:1806.04498). It begins short and grows, as
tf.train.ExponentialMovingAverage's num_updates has it: after t updates the
old average weighs min(decay, t / (9 + t)), and so the initial weights are soon
forgotten. Batch normalization's statistics are averaged alike: as they are,
they are of the last ten batches and of other weights.
"""

import tensorflow as tf

from pix2pix_color.training.train_state import TrainState


def follow(state: TrainState, *, strategy: tf.distribute.Strategy) -> None:
    """Brings the state's average, if it has one, to the present weights.

    Across replicas, after their update; each replica averages its own copy.

    Args:
      state: its step is the number of completed updates, this one included.
      strategy: the one that the state was made in.
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
