"""Flag files, reports, benchmarks and the results table."""
