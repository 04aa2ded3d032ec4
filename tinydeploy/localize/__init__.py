"""Outputs that differ → the first layer that is wrong on the device, and what its fault is."""
