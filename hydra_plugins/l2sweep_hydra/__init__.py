"""l2sweep's launcher and sweeper. Every Hydra application on a machine imports them: keep them small."""
