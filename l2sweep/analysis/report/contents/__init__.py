"""What is in a report: frozen dataclasses, one module for each section of the page."""
