"""Sources of photographs, one module for each kind."""

import functools
from typing import Callable

from data_pipelines.data_spec import require_data
from data_pipelines.sources import (folder, kaggle_npy, paired, sample_photos,
                                    shards, tfds)
from data_pipelines.sources.source import Source


def open_source(spec: str, *, flag: str, tfds_data_dir: str = "") -> Source:
    """Opens the source that a data spec names.

    Args:
      spec: one of DATA_SPECS.
      flag: the flag that gave the spec, for messages: `--data`.
      tfds_data_dir: folder of TensorFlow Datasets' data sets; empty for its
        default.

    Raises:
      UserError: the kind is unknown or the source cannot be opened.
    """
    kinds: dict[str, Callable[..., Source]] = {
        "sample_photos": sample_photos.open_sample_photos,
        "folder": folder.open_folder,
        "paired": paired.open_paired,
        "tfds": functools.partial(tfds.open_tfds, data_dir=tfds_data_dir),
        "kaggle_npy": kaggle_npy.open_kaggle_npy,
        "shards": shards.open_shards,
    }
    kind, argument = require_data(spec, flag=flag)
    return kinds[kind](argument, origin=f"{flag}={spec}")
