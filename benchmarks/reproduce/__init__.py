"""Trains the cells of the paper's tables."""
