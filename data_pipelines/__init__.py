"""Photographs as they are found, delivered as batches of Lab tensors."""

import os

# Read by TensorFlow when it is first imported. What its C++ side has to say
# beside the exceptions it raises would bury the one line that matters.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On processors without AVX-512, VNNI or AMX TensorFlow leaves oneDNN's kernels
# alone, which train half as fast again there.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
