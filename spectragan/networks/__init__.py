"""Placeholder of the networks layer."""
