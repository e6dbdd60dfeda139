"""Functions that build Keras models."""
