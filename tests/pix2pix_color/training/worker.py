"""fit, and then what the networks weigh: python -m ... WORKDIR WEIGHTS FLAGS.

A process that lost another worker begins itself anew, by its command line, so
that these processes cannot be forked from the tests'.
"""

import dataclasses
import json
import sys

import numpy as np

from data_pipelines import command
from tests.pix2pix_color.training import processes


def main(workdir, weights_path, flags):
    with command.quiet_tensorflow():
        from pix2pix_color.training.run import TrainState, fit
    created = []
    create = TrainState.create

    def create_and_keep(*args, **kwargs):
        created.append(create(*args, **kwargs))
        return created[-1]

    setattr(TrainState, "create", create_and_keep)
    run = processes.config(workdir, **json.loads(flags))
    # The others wait while a checkpoint is written: fewer of them, quicker.
    fit(dataclasses.replace(run, reporting=dataclasses.replace(
        run.reporting, checkpoint_every=4, eval_every=100, sample_every=100)))
    state = created[-1]
    np.savez(weights_path, *state.generator.get_weights(),
             *state.discriminator.get_weights())


if __name__ == "__main__":
    main(*sys.argv[1:])
