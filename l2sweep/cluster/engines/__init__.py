"""What starts the workers on other hosts; each module is one engine."""
