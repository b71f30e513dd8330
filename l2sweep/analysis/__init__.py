"""From rows to what a person reads: statistics, the report of a point, the table of a sweep."""
