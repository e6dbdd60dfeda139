"""By which statistics a generator normalizes at inference:
python -m experiments.inference_statistics RUN.

The newest checkpoint of a run, on the photographs that it evaluates on: by the
averages over training, as it is served, and by those of each picture alone,
as pix2pix does at test time (Isola et al. 2017, 3.2), without its dropout.
"""

import dataclasses
from typing import Sequence

import tensorflow as tf

from data_pipelines import color, pipeline
from pix2pix_color import cli, evaluation
from pix2pix_color.networks import layers
from pix2pix_color.serving import scoring
from pix2pix_color.training import exporting, train_state


def main(arguments: Sequence[str]) -> None:
    run, = arguments[1:]
    _, config, state, _ = exporting.restore(run, checkpoint="latest")
    source = scoring.open_held_out(run, tfds_data_dir="")
    without_dropout = dataclasses.replace(
        config, networks=dataclasses.replace(config.networks, dropout=0.0))
    generator = train_state._build_generator(
        without_dropout, precision="float32", step=layers.no_step)
    generator.set_weights(state.inference_generator.get_weights())
    ways = {"over training": (20, False), "of each picture": (1, True),
            "of each batch of 20": (20, True)}
    results = {}
    for name, (batch_size, training) in ways.items():
        results[name] = evaluation.evaluate(
            tf.function(lambda condition, training=training: generator(
                condition, training=training), reduce_retracing=True),
            source, color_space=color.COLOR_SPACES[config.networks.color_space],
            image_size=config.data.image_size, batch_size=batch_size,
            rejected=pipeline.RejectedExamples())
        generator.set_weights(state.inference_generator.get_weights())
    print(evaluation.comparison_table(results))


if __name__ == "__main__":
    cli.run(main)
