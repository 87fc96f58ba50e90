"""The fast model."""
