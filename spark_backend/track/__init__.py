"""Tracking frame by frame with an encoder: find the face, crop, encode, place the head, smooth."""
