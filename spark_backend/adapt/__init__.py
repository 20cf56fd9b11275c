"""Training of the encoder: on made-up people for anybody, then on one person through their own avatar."""
