"""From which length on loading a prompt's KV cache is faster than computing it."""
