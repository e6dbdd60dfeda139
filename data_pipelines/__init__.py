"""Photographs as they are found, delivered as batches of Lab tensors."""

import os

# Read by TensorFlow when it is first imported. What its C++ side has to say
# beside the exceptions it raises would bury the one line that matters.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Of itself it takes oneDNN's kernels only on processors with AVX512_VNNI,
# AVX512_BF16 or AMX (release notes of TensorFlow 2.9); others train up to half
# as fast again with them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
