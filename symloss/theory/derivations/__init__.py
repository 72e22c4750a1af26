"""From one loss to another, step by step, each step checked by machine."""
