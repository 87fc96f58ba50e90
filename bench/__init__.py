"""Measures the running path against direct gRPC calls to its models. `make bench` runs all of it."""
