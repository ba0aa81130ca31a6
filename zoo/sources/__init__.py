"""Where models come from: folders, files, installed packages and hubs, each with its pin verified."""
