"""What a model takes of boards, before it is built."""
