"""Pages for readers, and what writes the generated ones: `python -m docs.make`."""
