"""Recipes, releases, reports and the catalog: their types, checks and JSON Schemas. Pure."""
