"""Read rows: the samples of a comparison, the processes that failed, and differences of the environment."""
