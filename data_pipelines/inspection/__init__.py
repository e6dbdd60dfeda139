"""What `python -m data_pipelines.inspect` is made of: numbers, then a page."""
