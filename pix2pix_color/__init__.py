"""Pix2pix for color: a U-Net learns to predict a*b* of a photograph from L*."""

import data_pipelines  # noqa: F401, tells TensorFlow what to do on import
