"""What `python -m data_pipelines.prepare` is made of: from files to shards."""
