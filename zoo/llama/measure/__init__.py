"""What an open model predicts: losses, parity, importance, probes and a smoke test."""
