"""The final report as JSON on standard output, or in a file."""
