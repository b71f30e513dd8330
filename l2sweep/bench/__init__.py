"""The code of a benchmark process: the only code that imports LMCache and torch.

It imports only the standard library, numpy, torch, lmcache and ``l2sweep.errors``, so that it also runs under
another interpreter with another LMCache: ``python -m l2sweep.bench`` reads a job from standard input.
"""
