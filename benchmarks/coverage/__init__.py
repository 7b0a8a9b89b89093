"""How often intervals and sets of classes hold the truth."""
