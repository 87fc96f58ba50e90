"""What the image builds run."""
