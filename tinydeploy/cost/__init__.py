"""What layers cost: estimated before there is a build, measured on a board, and what is usual there."""
