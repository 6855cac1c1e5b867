"""Measurements that `make bench` prints as JSON. Figures are ratios to a floor or a peer of the same run."""
