"""A run of an ingest: models, units of work, their execution here or on dask, and commits."""
