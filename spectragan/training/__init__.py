"""Placeholder of the training layer."""
