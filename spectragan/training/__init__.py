"""Training: losses, skorch nets, and what they are fed with."""
