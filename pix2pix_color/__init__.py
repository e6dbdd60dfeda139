"""Pix2pix for color: a U-Net learns to predict a*b* of a photograph from L*."""

import os

# Read by TensorFlow when it is first imported. What its C++ side has to say
# beside the exceptions it raises would bury the one line that matters.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
