"""Coloring of whole archives by Apache Beam."""
