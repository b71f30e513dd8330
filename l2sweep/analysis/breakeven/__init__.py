"""Whether loading a prompt's KV cache is faster than computing it, from which length on, and what it takes."""
