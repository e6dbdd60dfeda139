"""Flag files, reports, benchmarks and the results table."""

import data_pipelines  # noqa: F401, tells TensorFlow what to do on import
