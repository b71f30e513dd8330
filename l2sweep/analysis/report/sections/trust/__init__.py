"""Section 2: can it be trusted? One answer to each question about the measurement."""
