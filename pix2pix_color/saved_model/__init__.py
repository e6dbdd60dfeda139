"""The generator as a SavedModel: its functions, its files, its loading."""
