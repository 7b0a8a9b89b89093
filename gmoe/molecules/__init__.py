"""Your own molecules: predictions, uncertainty, explanations, sharing."""
