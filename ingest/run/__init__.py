"""A run: models as they are run, units of work, this process or a dask cluster, commits."""
