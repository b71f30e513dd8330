"""The clients of a point: their jobs and journals, what they share when one fails, and what a view shows."""
