"""The page of a sweep: reads what it is made from, and writes it."""
