"""What may be asked for: options, the adapter's spec and traits, models, constraints, the grid."""
