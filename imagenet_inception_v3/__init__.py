"""The accurate model."""
