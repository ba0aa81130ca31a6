"""Which file to recommend, why, and the commands that fetch and run it. Pure, without charts or pages."""
