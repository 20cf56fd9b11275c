"""What the backend and Blender share: names, files and the job folder.

Imports the standard library and numpy only, so that it loads inside every Blender.
"""
