"""The figures of the section Scaling: rates against clients, and fairness beside them."""
