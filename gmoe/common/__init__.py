"""What the rooms of gmoe share: files, refusals, lazy imports."""
