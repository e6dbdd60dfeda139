"""Keras layers and Adam, faster on a CPU; the same arithmetic."""
