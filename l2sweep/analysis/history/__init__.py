"""The series of a point over nights, and the nights at which its level changed."""
