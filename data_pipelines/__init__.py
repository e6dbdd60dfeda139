"""Photographs as they are found, delivered as batches of Lab tensors."""
