"""Options of the photographs."""

import dataclasses

from data_pipelines.command import DATA_SPECS
from pix2pix_color.config.option import option


@dataclasses.dataclass(frozen=True)
class Data:
    """The photographs, and their preparation for the networks."""

    data: str = option(
        "sample_photos", f"Training photographs: {DATA_SPECS}.",
        holds="data")
    eval_data: str = option(
        "", "Evaluation photographs, in the notation of --data. Empty: part of "
        "--data is held out.", holds="data")
    eval_fraction: float = option(
        0.1, "Share of --data held out for evaluation if --eval_data is empty. "
        "sample_photos always holds out the same 8.", minimum=0.0, maximum=1.0)
    tfds_data_dir: str = option(
        "", "Directory of TensorFlow Datasets' data sets. Empty: its default.",
        holds="path", resumable=True)
    cache: str = option(
        "none", "Where to keep decoded photographs after the first epoch.",
        choices=("none", "memory", "disk"), resumable=True)
    max_bad_fraction: float = option(
        0.01, "Share of unreadable photographs above which the run stops. One "
        "unreadable photograph never stops it.", minimum=0.0, maximum=1.0,
        resumable=True)
    train_examples: int = option(
        0, "Maximum number of training photographs. 0: no limit.", minimum=0)
    eval_examples: int = option(
        0, "Maximum number of evaluation photographs. 0: no limit.", minimum=0)
    image_size: int = option(
        256, "Side of the networks' square input in pixels. unet: a power of "
        "two from 32 to 512. resnet18_unet and efficientnet_unet: a multiple "
        "of 32, at least 64.")
    resize_size: int = option(
        0, "Pixels to which a photograph's shorter side is resized before the "
        "random crop of --image_size. 0: 286/256 of --image_size, as in "
        "pix2pix.", minimum=0)
    max_resize_size: int = option(
        0, "Draw the resized side at random for each photograph, from "
        "--resize_size to this many pixels. 0: always --resize_size.",
        minimum=0)
    min_detail_size: int = option(
        0, "Shrink the crop of half of the photographs to a random side, at "
        "least this many pixels, before it is resized to --image_size. The "
        "networks then also learn from photographs with little detail. 0: "
        "never.", minimum=0)
    degrade: bool = option(
        False, "Show the generator half of the photographs as old prints: film "
        "tones, fading, blur, grain, scratches, borders, compression. Its "
        "targets remain the colors of the clean photographs.")
    batch_size: int = option(
        16, "Photographs per update, on all devices together.", minimum=1)
