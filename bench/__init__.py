"""Measures the running stack against direct gRPC calls to its models. `make bench` runs all of it."""
