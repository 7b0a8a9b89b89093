"""Graph and text models on WebNLG, in one table."""
