"""The buttons. Each calls a plain function; what a user can cause is reported as one sentence."""
