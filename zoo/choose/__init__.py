"""What a person needs to take a file of a release: the commands, without charts or pages."""
