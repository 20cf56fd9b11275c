"""The personal head: what is learnt once from all clips of a person."""
