"""A run from its first generation to its front: stages, work, evidence, finals."""
