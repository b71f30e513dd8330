"""What is refused or skipped before anything runs."""
