"""Writers: Capture -> files of a dataset."""
