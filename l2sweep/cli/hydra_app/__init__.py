"""The Hydra application: from a composed configuration to a run."""
