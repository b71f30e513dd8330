"""The definitions behind every number about rounds, computed for many groups of rounds at once."""
