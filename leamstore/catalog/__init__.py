"""The catalog: models, parsers and data sets that can be ingested, and their files."""

from leamstore.catalog.entries import (
    ONNX,
    Catalog,
    Dataset,
    Entry,
    Member,
    Model,
    Parser,
    RemoteFile,
    Tokens,
    Weights,
    built_in,
    read_catalog,
    resolve,
)
