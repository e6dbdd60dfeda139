"""Parts of `experiments.report`: runs, charts and the page."""
