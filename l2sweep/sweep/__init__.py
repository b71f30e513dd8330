"""Run many points: plan them, measure each in processes of its own, and record the results."""
