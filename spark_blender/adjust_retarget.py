"""The take on another character: the mapping's properties and buttons."""

from pathlib import Path

import bpy
from bpy.props import CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from spark_backend.protocol.errors import SparkError

from .adjust_operators import AdjustsTake
from .adjust_wish import wish_of
from .operators.base import SentenceOnError
from .scene.adjust import adjusted_performance
from .scene.captured import timing
from .scene.guess import guess_mapping
from .scene.mapping import BONES, KeyMapping, Row, load_mapping, save_mapping
from .scene.retarget import retarget
from .scene.scene import HeadObjects
from .viewport import waiting


def can_follow(settings: "SPARK_PG_retarget", item: bpy.types.Object) -> bool:
    """For the object chooser: meshes with shape keys, and armatures."""
    return item.type == "ARMATURE" or (item.type == "MESH" and item.data.shape_keys is not None)


class SPARK_PG_mapping_row(bpy.types.PropertyGroup):
    """One shape key that follows another"""

    source: StringProperty(name="Source", description="Shape key of the captured head")
    target: StringProperty(name="Target", description="Shape key of the other character that follows")
    factor: FloatProperty(
        name="Factor",
        description="How strongly it follows",
        default=1.0,
        min=-10.0,
        max=10.0,
        soft_min=0.0,
        soft_max=2.0,
    )


class SPARK_PG_retarget(bpy.types.PropertyGroup):
    """Another character and its mapping"""

    target: PointerProperty(
        name="Character",
        description="Mesh with shape keys, or armature, that shall play the take; it looks along its own -Y",
        type=bpy.types.Object,
        poll=can_follow,
    )
    rows: CollectionProperty(type=SPARK_PG_mapping_row)
    row_index: IntProperty(name="Row", description="The selected pair of shape keys")
    neck: StringProperty(name="Neck", description="Bone that takes half of the head's turn")
    head: StringProperty(name="Head", description="Bone that turns with the head")
    jaw: StringProperty(name="Jaw", description="Bone that opens the jaw; empty where shape keys open it")
    eye_left: StringProperty(name="Left Eye", description="Bone of the character's left eye; empty where keys turn it")
    eye_right: StringProperty(
        name="Right Eye", description="Bone of the character's right eye; empty where keys turn it"
    )
    preset: StringProperty(name="Preset", description="Name of a saved mapping", default="Character")


def register_properties() -> None:
    """Gives every scene a mapping."""
    bpy.types.Scene.spark_retarget = PointerProperty(type=SPARK_PG_retarget)


def unregister_properties() -> None:
    """Takes the mapping out; its values stay in the file."""
    del bpy.types.Scene.spark_retarget


def mapping_of(settings: SPARK_PG_retarget) -> KeyMapping:
    """What the editor shows; rows with an empty side are left out."""
    rows = tuple(Row(row.source, row.target, row.factor) for row in settings.rows if row.source and row.target)
    return KeyMapping(rows, {bone: getattr(settings, bone) for bone in BONES if getattr(settings, bone)})


def show_mapping(settings: SPARK_PG_retarget, mapping: KeyMapping) -> None:
    """Fills the editor."""
    settings.rows.clear()
    for row in mapping.rows:
        item = settings.rows.add()
        item.source, item.target, item.factor = row.source, row.target, row.factor
    settings.row_index = 0
    for bone in BONES:
        setattr(settings, bone, mapping.bones.get(bone, ""))


def character_of(context: bpy.types.Context) -> bpy.types.Object:
    """The chosen character."""
    target = context.scene.spark_retarget.target
    if target is None:
        raise SparkError("Choose the character first")
    return target


def rig_of(target: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that moves a character."""
    return target if target.type == "ARMATURE" else target.find_armature()


def preset_path(name: str) -> Path:
    """Where a mapping of that name is kept, in the user's configuration."""
    if not name.strip() or any(letter in name for letter in '/\\:*?"<>|') or name.startswith("."):
        raise SparkError(f"{name or 'The empty name'}: not a name for a preset; use letters and digits")
    return Path(bpy.utils.user_resource("CONFIG")) / "spark" / "mappings" / f"{name.strip()}.json"


class SPARK_OT_guess_mapping(SentenceOnError, bpy.types.Operator):
    """Fill the mapping from the names of the character's shape keys and bones"""

    bl_idname = "spark.guess_mapping"
    bl_label = "Guess"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: bpy.types.Context) -> None:
        target = character_of(context)
        rig = rig_of(target)
        keys = [key.name for key in target.data.shape_keys.key_blocks[1:]] if target.type == "MESH" else []
        bones = [bone.name for bone in rig.data.bones] if rig is not None else []
        mapping = guess_mapping(keys, bones)
        if not mapping.rows and not mapping.bones:
            raise SparkError(f"{target.name}: no known names among its shape keys and bones; add rows by hand")
        show_mapping(context.scene.spark_retarget, mapping)
        found = len({row.target for row in mapping.rows})
        self.report({"INFO"}, f"Mapped {found} of {len(keys)} shape keys and {len(mapping.bones)} bones")


class SPARK_OT_add_mapping_row(SentenceOnError, bpy.types.Operator):
    """Add a pair of shape keys"""

    bl_idname = "spark.add_mapping_row"
    bl_label = "Add Pair"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: bpy.types.Context) -> None:
        settings = context.scene.spark_retarget
        settings.rows.add()
        settings.row_index = len(settings.rows) - 1


class SPARK_OT_remove_mapping_row(SentenceOnError, bpy.types.Operator):
    """Take the selected pair out"""

    bl_idname = "spark.remove_mapping_row"
    bl_label = "Remove Pair"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(context.scene.spark_retarget.rows) > 0

    def work(self, context: bpy.types.Context) -> None:
        settings = context.scene.spark_retarget
        settings.rows.remove(settings.row_index)
        settings.row_index = max(min(settings.row_index, len(settings.rows) - 1), 0)


class SPARK_OT_save_mapping(SentenceOnError, bpy.types.Operator):
    """Keep the mapping under this name, for all files"""

    bl_idname = "spark.save_mapping"
    bl_label = "Save Preset"

    def work(self, context: bpy.types.Context) -> None:
        settings = context.scene.spark_retarget
        path = preset_path(settings.preset)
        save_mapping(path, mapping_of(settings))
        self.report({"INFO"}, f"Saved {path.stem}")


class SPARK_OT_load_mapping(SentenceOnError, bpy.types.Operator):
    """Fill the mapping from a saved one"""

    bl_idname = "spark.load_mapping"
    bl_label = "Load Preset"
    bl_options = {"UNDO"}

    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = str(preset_path(context.scene.spark_retarget.preset))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: bpy.types.Context) -> None:
        settings = context.scene.spark_retarget
        path = Path(bpy.path.abspath(self.filepath)) if self.filepath else preset_path(settings.preset)
        show_mapping(settings, load_mapping(path))
        settings.preset = path.stem


class SPARK_OT_retarget(AdjustsTake, bpy.types.Operator):
    """Play the take, as it is adjusted, on the chosen character, in an action of its own"""

    bl_idname = "spark.retarget"
    bl_label = "Retarget"

    def change(self, context: bpy.types.Context, head: HeadObjects, action: bpy.types.Action) -> None:
        target, wish = character_of(context), wish_of(action)
        if head.mesh == target or head.armature == target:
            raise SparkError(f"{target.name}: is the captured head itself; choose another character")
        mapping, name = mapping_of(context.scene.spark_retarget), f"{action.name} on {target.name}"
        with waiting():
            performance = adjusted_performance(head, wish)
            rate, start = timing(action)
            frames = start + performance.seconds * rate.per_second
            retarget(head.armature, target, performance, mapping, name, frames, wish.tolerance)


CLASSES = (
    SPARK_PG_mapping_row,
    SPARK_PG_retarget,
    SPARK_OT_guess_mapping,
    SPARK_OT_add_mapping_row,
    SPARK_OT_remove_mapping_row,
    SPARK_OT_save_mapping,
    SPARK_OT_load_mapping,
    SPARK_OT_retarget,
)
