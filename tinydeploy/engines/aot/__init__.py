"""The ahead-of-time engine: a graph becomes plain C that calls the kernels in firmware/kernels/."""
