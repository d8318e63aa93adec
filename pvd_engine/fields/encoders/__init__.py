"""Block 1: points -> features, one encoder a file, with the record of its architecture."""
