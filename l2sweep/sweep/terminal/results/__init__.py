"""The table of results: the end of a sweep and the command ``summary`` print the same one."""
