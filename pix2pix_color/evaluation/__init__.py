"""The evaluation protocol, its page, and the metrics that need a network."""
