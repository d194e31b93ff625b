"""Measurements that users make on their own machines and deployments, as ratios; `ucoder bench` runs them."""
