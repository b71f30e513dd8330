"""The page of the report: its template, style, script and figures."""
