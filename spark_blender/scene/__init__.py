"""The avatar and its performance as Blender data: needs bpy, numpy and `spark_backend.protocol`, no registration.

The add-on calls it inside Blender; `runner` calls it in a child process of the command line.
"""
