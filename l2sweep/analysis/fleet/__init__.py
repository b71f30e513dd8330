"""A fleet: the same points on several hosts. Which host is slow, where, by how much, and how sure is that?"""
