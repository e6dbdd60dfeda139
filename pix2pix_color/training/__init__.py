"""From a Config and two sources to trained networks."""
