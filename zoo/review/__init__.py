"""What a pull request is shown: annotations on its lines, and a report of everything. Pure."""
