"""The parts of `python -m data_pipelines.inspect`: measuring and drawing."""
