"""The parts of `python -m data_pipelines.prepare`: from files to shards."""
