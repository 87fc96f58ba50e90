"""Scripts for `make c_up` and for the image builds."""
