"""What only a GPU can show about training, in one run of at most eight minutes."""
