"""``l2sweep envs``: environments with other releases of LMCache, made by uv, listed and removed."""
