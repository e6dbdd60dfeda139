"""The trained generator as a SavedModel, and what calls it."""
