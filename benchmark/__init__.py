"""The harness: plan, run, score and store a benchmark of subject personalization."""
