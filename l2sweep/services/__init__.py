"""Real servers for a first try and for tests: started, awaited, stopped, and their data removed."""
