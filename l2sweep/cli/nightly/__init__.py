"""The night: run the nightly sweep, judge it by the nights before, and print what is a problem."""
