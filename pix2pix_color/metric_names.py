"""The evaluation's metrics: what each is called and which way is better.

No TensorFlow here: flags are checked with these names. metrics.py computes most
of them, evaluation/ the judge's and fid.
"""

from typing import Mapping, NamedTuple, Optional


class Metric(NamedTuple):
    """A metric's name, unit and direction.

    Attributes:
      title: its name in tables and charts.
      unit: of its values; empty if they have none.
      higher_is_better: None if neither direction is.
    """

    title: str
    unit: str
    higher_is_better: Optional[bool]

    @property
    def label(self) -> str:
        """Title and unit, such as `PSNR, dB`."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    @property
    def label_with_arrow(self) -> str:
        """The label and an arrow towards the better values."""
        return self.label + {True: " ↑", False: " ↓", None: ""}[
            self.higher_is_better]


METRICS: Mapping[str, Metric] = {
    "ab_l1": Metric("ab_l1", "", False),
    "psnr_db": Metric("PSNR", "dB", True),
    "ssim": Metric("SSIM", "", True),
    "delta_e": Metric("CIEDE2000", "", False),
    "colorfulness": Metric("colorfulness", "", None),
    "colorfulness_gap": Metric("colorfulness gap", "", False),
    "field_colorfulness": Metric("colorfulness (field)", "", None),
    "field_colorfulness_gap": Metric("colorfulness gap (field)", "", False),
    "agreement": Metric("agreement", "", True),
    "kl": Metric("KL", "", False),
    "fid": Metric("FID", "", False),
}
# Those that need --judge_weights.
JUDGED = ("agreement", "kl")
# Those that training can go by, in --best_metric and --plateau_metric.
GUIDING = ("ab_l1", "psnr_db", "ssim", "delta_e", "colorfulness_gap", *JUDGED)


def is_better(value: float, other: float, *, metric: str) -> bool:
    """Tells whether one value of a metric is better than another."""
    return value > other if METRICS[metric].higher_is_better else value < other
