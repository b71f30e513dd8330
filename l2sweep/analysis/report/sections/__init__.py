"""The sections of a report: each module computes the dataclasses of one part of the page."""
