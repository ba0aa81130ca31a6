"""What runs for a recipe, why, what it costs, whether it can run here, and running it."""
