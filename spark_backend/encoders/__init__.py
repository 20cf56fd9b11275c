"""Networks that read a face from a crop of a picture."""
