"""l2sweep's launcher and sweeper: thin, since every Hydra application on this machine imports them."""
