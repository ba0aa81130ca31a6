"""The types with the least loss within a byte budget: measured alone, combined, solved."""
