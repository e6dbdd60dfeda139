"""Files to colored files: jobs, photographs, videos, the web page."""
