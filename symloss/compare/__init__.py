"""Is it really better: fair comparison, controls for confounds, statistics."""
