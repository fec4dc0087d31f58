"""Downloads over HTTP: files of the catalog, and a client for many small files."""
