"""The types with the lowest loss within a byte budget: measured alone, combined, solved."""
