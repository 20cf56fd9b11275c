"""Making, repairing and removing the backend's environment. No bpy: all of it runs in a process of its own."""
