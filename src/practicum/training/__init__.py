"""A model from a data set: masks, windows, the trainer, and the way back into service."""
