"""The generator as a SavedModel: what it does, how it is written and loaded."""
