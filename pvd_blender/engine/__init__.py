"""The driver of the engine, a separate Python program; nothing here knows Blender.

The engine and the add-on meet in a job folder and in lines of JSON.
"""
