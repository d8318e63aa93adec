"""Changes of a field by the modifiers of its volume, shown before they are applied."""

from bpy.types import Depsgraph, Object

from ..engine.temporary import TemporaryFolder
from ..errors import SceneError
from ..volume.volume_edit import volume_edits


class NodePreview:
    """The edits by a Volume object's modifiers, found again only when the volume has changed.

    Attributes
    ----------
    problem : str
        Why the last ones cannot be shown; empty if they can.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._folder: TemporaryFolder | None = None
        self._known: tuple[str, str] | None = None
        self._edits: list[dict] = []

    def edits(self, volume: Object, depsgraph: Depsgraph) -> list[dict]:
        """Return the content of an ``edits.json`` for what a depsgraph has evaluated."""
        wanted = (volume.name, volume.data.filepath)
        if wanted != self._known or _has_changed(volume, depsgraph):
            self._edits, self.problem, self._known = [], "", wanted
            self._folder = self._folder or TemporaryFolder()
            try:
                self._edits = volume_edits(volume, depsgraph, self._folder.path).edits
            except SceneError as error:
                self.problem, self._known = str(error), None
        return self._edits

    def close(self) -> None:
        """Remove the files of the edits."""
        if self._folder is not None:
            self._folder.close()


def _has_changed(volume: Object, depsgraph: Depsgraph) -> bool:
    changed = {update.id.original for update in depsgraph.updates if update.is_updated_geometry}
    return volume in changed or volume.data in changed
