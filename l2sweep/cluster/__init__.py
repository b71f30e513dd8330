"""Points on several hosts: the workers, the rendezvous, and the engines that start workers."""
