"""Data sets: what is read, how it is split, scaled and modified."""
