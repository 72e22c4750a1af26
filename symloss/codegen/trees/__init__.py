"""Losses as trees, evaluated as they are: one at a time or many together, with derivatives, nothing compiled."""
