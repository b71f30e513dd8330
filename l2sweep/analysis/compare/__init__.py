"""Compare two sets of sweeps: is one of them slower, where, by how much, and how sure is that?"""
