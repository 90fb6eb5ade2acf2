"""The models that both sides of a row serve."""
