"""Options of a run's folder and of what is written there."""

import dataclasses

from pix2pix_color.config.option import option
from pix2pix_color.metric_names import GUIDING


@dataclasses.dataclass(frozen=True)
class Reporting:
    """The run's folder, and how often it is written to."""

    workdir: str = option(
        "runs/sample_photos",
        "The run's folder: flags, checkpoints, event files, pictures, export. "
        "An existing run is resumed.", holds="path", resumable=True)
    log_every: int = option(
        50, "Updates between two points of the curves.", minimum=1,
        resumable=True)
    sample_every: int = option(
        500, "Updates between two sample grids.", minimum=1, resumable=True)
    eval_every: int = option(
        2000, "Updates between two evaluations. The last update is always "
        "followed by one.", minimum=1, resumable=True)
    checkpoint_every: int = option(
        1000, "Updates between two checkpoints. The last update is always "
        "followed by one.", minimum=1, resumable=True)
    keep_checkpoints: int = option(
        3, "Latest checkpoints to keep. The best one is kept as well.",
        minimum=1, resumable=True)
    best_metric: str = option(
        "ab_l1", "Evaluation metric that determines the best checkpoint.",
        choices=GUIDING, resumable=True)
    judge_weights: str = option(
        "", "Classifier that adds agreement and kl to every evaluation: a "
        ".safetensors file of EfficientNet-Lite0 or Lite2, or imagenet for the "
        "one in the package. It must differ from --classifier_weights. Empty: "
        "none.", holds="path", resumable=True)
    profile_steps: str = option(
        "", "FIRST,LAST: updates to record for TensorBoard's profiler. Empty: "
        "none.", resumable=True)
