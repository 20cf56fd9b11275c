"""Tracking a camera as it films: from its pictures to a head that moves now."""
