"""Where tensors lie in memory: lifetimes and planners."""
