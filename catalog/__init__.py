"""What recipes, releases, reports and the catalog are: their words, their checks and their JSON Schemas. Pure."""
