"""Inside one benchmark process: the only code that imports LMCache and torch.

It imports the standard library, numpy, torch and lmcache alone, so that it also runs under another
interpreter with another LMCache: ``python -m l2sweep.bench`` reads a request from standard input.
"""
