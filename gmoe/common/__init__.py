"""The parts that all rooms share: files, refusals, lazy imports."""
