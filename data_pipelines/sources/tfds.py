"""`tfds:NAME[/CONFIG][@SPLIT][#FEATURE]`: data sets that TFDS prepared.

Photographs are read by index, in any order: from ArrayRecord through TFDS's
own data source, from TFRecord through an index of the records' places.

Nothing here uses the network.
"""

import re

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.errors import UserError
from data_pipelines.sources import source, tfrecord
from data_pipelines.sources.name_list import Numbered
from data_pipelines.sources.records import Records, from_records

# A namespace (`huggingface:mnist`) would be looked up on the network.
_NAME = re.compile(r"\w+(/[\w.-]+)?(:\d+\.\d+\.\d+)?")
_DEFAULT_SPLIT = "train"


def open_tfds(argument: str, *, origin: str,
              data_dir: str = "") -> source.Source:
    """Opens a prepared TensorFlow Datasets collection.

    An example's identity is its split and its number in the split.

    Args:
      argument: `NAME[/CONFIG][:VERSION][@SPLIT][#FEATURE]`; the split is
        written as in TFDS, `train[:10%]`, and is `train` by default. FEATURE
        is the image to read; by default `image`, or else the first by name.
      origin: the flag and data spec, for messages.
      data_dir: folder of the prepared data sets; empty for TFDS's default.

    Raises:
      UserError: the data set is unknown, has no image, or is not prepared.
    """
    name, split, feature = split_argument(argument)
    builder = find_builder(name, origin=origin, data_dir=data_dir)
    records = open_records(builder, split=split, feature=feature,
                           origin=origin)
    return from_records(records, origin=origin,
                        identities=Numbered(f"{split}/", records.num_records))


def split_argument(argument: str) -> tuple[str, str, str]:
    """Splits `NAME[/CONFIG][@SPLIT][#FEATURE]`.

    Returns:
      Name with config; split; feature, empty if none is named.
    """
    argument, _, feature = argument.partition("#")
    name, _, split = argument.partition("@")
    return name, split or _DEFAULT_SPLIT, feature


def find_builder(name: str, *, origin: str,
                 data_dir: str = "") -> tfds.core.DatasetBuilder:
    """Finds the builder of a data set, prepared or not.

    Args:
      name: `NAME[/CONFIG][:VERSION]`.
      origin: the flag and data spec, for messages.
      data_dir: folder of the prepared data sets; empty for TFDS's default.

    Raises:
      UserError: TFDS has no such data set, config or version.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{origin}: write tfds:NAME[/CONFIG][@SPLIT]"
                        f"[#FEATURE], got {name!r}")
    try:
        return tfds.builder(name, data_dir=data_dir or None, try_gcs=False)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError,
            ImportError) as error:
        why = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{origin}: TensorFlow Datasets cannot open {name!r}: "
            f"{why}") from error


def open_records(builder: tfds.core.DatasetBuilder, *, split: str,
                 origin: str, feature: str = "") -> Records:
    """Opens the records of a prepared data set.

    Args:
      builder: the data set.
      split: the split, written as in TFDS.
      origin: the flag and data spec, for messages.
      feature: the image to read; empty for the default.

    Raises:
      UserError: it has no such image feature or no such split, is not
        prepared, or has a file format that cannot be read by index.
    """
    image_key, holds_pixels, others = _image_feature(builder, feature, origin)
    try:
        data_source = builder.as_data_source(
            split=split,
            decoders=tfds.decode.PartialDecoding({image_key: True}),
            deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    except (NotImplementedError, AssertionError, ValueError, KeyError) as error:
        if not is_prepared(builder):
            name = "/".join(filter(None, (
                builder.name, builder.builder_config_name)))
            raise UserError(
                f"{origin}: {builder.info.full_name} is not prepared in "
                f"{builder.data_dir}; prepare it first: python -m "
                f"data_pipelines.prepare --data=tfds:{name}"
                f" --tfds_data_dir={builder.data_dir_root} --output_dir=DIR"
            ) from None
        if not isinstance(error, NotImplementedError):
            raise _no_split(builder, split, origin) from None
        # The file format has no index.
        places = tfrecord.RecordIndex(
            _file_instructions(builder, split, origin), origin=origin)
        return Records(places.read, len(places), image_key, holds_pixels,
                       others)
    return Records(data_source.__getitem__, len(data_source), image_key,
                   holds_pixels, others)


def is_prepared(builder: tfds.core.DatasetBuilder) -> bool:
    """Tells whether a data set is on disk, under any folder name."""
    return (builder.data_path / "dataset_info.json").exists()


def _image_feature(builder, wanted, origin):
    """Returns the image's key, whether it is pixels, and the other images."""
    features = builder.info.features
    images = [
        key for key, feature in features.items()
        if isinstance(feature, tfds.features.Image)
        and not isinstance(feature, tfds.features.LabeledImage)
        and feature.np_dtype in (np.uint8, np.uint16)]
    pixels = [key for key, feature in features.items() if _is_pixels(feature)]
    if not images and not pixels:
        raise UserError(
            f"{origin}: {builder.info.full_name} has no image among its "
            f"features: {', '.join(features)}")
    found = sorted([*images, *pixels])
    if wanted and wanted not in found:
        raise UserError(
            f"{origin}: {builder.info.full_name} has no image feature "
            f"{wanted!r}; its image features: {', '.join(found)}")
    # Features that are read from disk may be in another order than in the
    # builder's code.
    preferred = images or pixels
    key = wanted or ("image" if "image" in preferred else min(preferred))
    found.remove(key)
    return key, key in pixels, tuple(found)


def _is_pixels(feature):
    return (type(feature) is tfds.features.Tensor
            and feature.shape == (None, None, 3)
            and feature.np_dtype == np.uint8
            and feature.to_json_content().encoding == "bytes")


def _file_instructions(builder, split, origin):
    file_format = builder.info.file_format
    if file_format != tfds.core.FileFormat.TFRECORD:
        raise UserError(
            f"{origin}: {builder.info.full_name} is stored as "
            f"{file_format.value}; array_record and tfrecord can be read")
    try:
        instructions = builder.info.splits[split].file_instructions
    except (ValueError, KeyError):
        raise _no_split(builder, split, origin) from None
    if not instructions:
        raise _no_split(builder, split, origin)
    return instructions


def _no_split(builder, split, origin):
    return UserError(
        f"{origin}: {builder.info.full_name} has no example in {split!r}; "
        f"its splits: "
        f"{', '.join(builder.info.splits) or 'none'}")
