"""Clusters of real processes under load, and what goes wrong with them: how long writes stand still, what is lost."""
