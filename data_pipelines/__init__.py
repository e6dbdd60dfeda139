"""Data pipelines: from photographs on disk to batches of Lab tensors."""

import os

# TensorFlow reads both variables when it is first imported. The log messages
# of its C++ code would bury the one line that matters.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# By default TensorFlow uses oneDNN's kernels only on processors with
# AVX512_VNNI, AVX512_BF16 or AMX (release notes of TensorFlow 2.9). With them,
# other processors train up to 50 % faster.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
