"""Whether a file is good enough: parity with its source, task probes, losses, and the recipe's gates. Pure."""
