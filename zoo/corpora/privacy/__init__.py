"""Personal data in records: what is looked for, how it is replaced, and what a report says. It redacts; nobody may call
the result anonymous: who wrote about whom may still follow from what is left."""
