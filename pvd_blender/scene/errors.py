"""The one exception of this package."""


class SceneError(RuntimeError):
    """Something in the scene is not as it must be; the message is for the user."""
