"""`sl.fewshot`: few-shot learners trained from several seeds, kept as runs, and judged on the same tasks."""
