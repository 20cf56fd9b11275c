"""The head in Blender's asset browser: a collection with its armature and mesh, in a catalogue of its own."""

from collections.abc import Sequence
from pathlib import Path

import bpy

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.storage import write_atomic

from .scene import HeadObjects

CATALOGUES = "blender_assets.cats.txt"
CATALOGUE_ID = "8d5f4c0e-6d0b-4f57-9a7e-51c1b9a3f6d2"
CATALOGUE_LINE = f"{CATALOGUE_ID}:Characters/SPARK Heads:Characters-SPARK Heads\n"
NEW_FILE = "# Asset catalogues of this folder, written by Blender and its add-ons.\n\nVERSION 1\n\n"


def mark_as_asset(head: HeadObjects, licences: Sequence[str], preview: Path | None = None) -> bpy.types.Collection:
    """Makes the head an asset, or brings the asset that it is up to date.

    The browser shows `preview`, a picture file, or what Blender draws without one. In a saved file the head is put into
    the catalogue "Characters/SPARK Heads" of that file's folder.
    """
    collection = own_collection(head)
    collection.asset_mark()
    data = collection.asset_data
    data.description = "Head with ARKit shape keys and bones for neck, jaw and eyes"
    data.license = " ".join(licences)
    for tag in ("head", "ARKit", "SPARK"):
        data.tags.new(tag, skip_if_exists=True)
    if bpy.data.filepath:
        add_catalogue(Path(bpy.data.filepath).parent)
        data.catalog_id = CATALOGUE_ID
    if preview is not None:
        with bpy.context.temp_override(id=collection):
            bpy.ops.ed.lib_id_load_custom_preview(filepath=str(preview))
    else:
        collection.asset_generate_preview()
    return collection


def own_collection(head: HeadObjects) -> bpy.types.Collection:
    """The collection that holds this head and nothing else; made where the head stands when there is none."""
    pair = {head.armature, head.mesh}
    for collection in head.armature.users_collection:
        if set(collection.all_objects) == pair and bpy.data.collections.get(collection.name) == collection:
            return collection  # and not the scene's own, which cannot be an asset
    made = bpy.data.collections.new(head.armature.name)
    for parent in head.armature.users_collection:
        parent.children.link(made)
    for item in (head.armature, head.mesh):
        for parent in item.users_collection:
            parent.objects.unlink(item)
        made.objects.link(item)
    return made


def add_catalogue(folder: Path) -> None:
    """Writes our catalogue into the file of a folder that lists them; others in it stay."""
    path = folder / CATALOGUES
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else NEW_FILE
    except OSError as error:
        raise SparkError(f"{path}: cannot be read ({error.strerror}); save the file in another folder") from error
    if CATALOGUE_ID in text:
        return
    content = (text.rstrip("\n") + "\n" + CATALOGUE_LINE).encode()
    write_atomic(path, lambda file: file.write(content))
