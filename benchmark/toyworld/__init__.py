"""The toy world: a drawn universe whose truth is known, and the models trained on it."""
