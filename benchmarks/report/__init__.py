"""Makes the tables and plots from the results."""
