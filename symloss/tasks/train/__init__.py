"""Training: models, metrics, settings and the loop."""
