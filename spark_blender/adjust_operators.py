"""The buttons of the panel Adjust. Each calls a plain function of `scene.adjust`."""

import bpy
from bpy.props import EnumProperty, IntProperty

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.timeline import Rate

from .adjust_playing import play, settle
from .adjust_properties import head_in, list_keys, reset
from .adjust_wish import frame_at, seconds_at
from .operators.base import SentenceOnError
from .scene.adjust import keep, measure_rest, move_head, retime
from .scene.captured import action_of
from .scene.scene import HeadObjects

PLACES = (
    ("BONE", "Bone", "On the armature's root bone, as it is baked"),
    ("OBJECT", "Object", "On the armature object, so that the head can be parented or placed as one"),
    ("CAMERA", "Camera", "The other way round on the scene's camera, which moves about a head that stands still"),
)


class AdjustsTake(SentenceOnError):
    """A button that needs a head with a take."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if head_in(context) is None:
            cls.poll_message_set("Bake a take first")
            return False
        return True

    def work(self, context: bpy.types.Context) -> None:
        head = head_in(context)
        settle()
        self.change(context, head, action_of(head.armature))


class SPARK_OT_set_rest(AdjustsTake, bpy.types.Operator):
    """Take the face at the current frame for the resting face and subtract it from all others"""

    bl_idname = "spark.set_rest"
    bl_label = "Set Neutral Pose"

    around: IntProperty(
        name="Frames Around",
        description="How many frames before and after the current one count too; their median is taken",
        default=0,
        min=0,
        max=1000,
    )

    def change(self, context: bpy.types.Context, head: HeadObjects, action: bpy.types.Action) -> None:
        frame = context.scene.frame_current
        rest = measure_rest(head, frame - self.around, frame + self.around)
        settings = action.spark_adjust
        list_keys(head)
        for key in settings.keys:
            key.rest = rest.weights.get(key.name, 0.0)
        settings.rest_jaw, settings.has_rest = rest.jaw, True
        play(action)


class SPARK_OT_clear_rest(AdjustsTake, bpy.types.Operator):
    """Subtract no resting face"""

    bl_idname = "spark.clear_rest"
    bl_label = "Clear Neutral Pose"

    def change(self, context: bpy.types.Context, head: HeadObjects, action: bpy.types.Action) -> None:
        action.spark_adjust.has_rest = False
        play(action)


class SPARK_OT_list_keys(AdjustsTake, bpy.types.Operator):
    """Show every shape key with a strength of its own"""

    bl_idname = "spark.list_keys"
    bl_label = "List Shape Keys"

    def change(self, context: bpy.types.Context, head: HeadObjects, action: bpy.types.Action) -> None:
        list_keys(head)


class SPARK_OT_reset_adjustments(AdjustsTake, bpy.types.Operator):
    """Put every slider back: the take plays as it was captured"""

    bl_idname = "spark.reset_adjustments"
    bl_label = "Reset All"

    def change(self, context: bpy.types.Context, head: HeadObjects, action: bpy.types.Action) -> None:
        reset(action)
        move_head(head, "BONE", None)
        play(action)


class SPARK_OT_keep_adjustments(AdjustsTake, bpy.types.Operator):
    """Make what is seen now, with keys changed by hand, what sliders start from; the captured keys are forgotten"""

    bl_idname = "spark.keep_adjustments"
    bl_label = "Keep Result"

    def change(self, context: bpy.types.Context, head: HeadObjects, action: bpy.types.Action) -> None:
        keep(head)
        reset(action)


class SPARK_OT_retime(AdjustsTake, bpy.types.Operator):
    """Lay the keys anew for the scene's frame rate: what took a second takes a second"""

    bl_idname = "spark.retime"
    bl_label = "Retime to Scene"

    def change(self, context: bpy.types.Context, head: HeadObjects, action: bpy.types.Action) -> None:
        settings, render = action.spark_adjust, context.scene.render
        first, last = (seconds_at(action, frame) for frame in (settings.first, settings.last))
        retime(head, Rate(render.fps, render.fps_base), action["spark_start"])
        settings.first, settings.last = frame_at(action, first), frame_at(action, last)
        play(action)
        self.report(
            {"INFO"}, "Camera, picture and sound keep their frames; Bake Take with Match Scene brings them along"
        )


class SPARK_OT_move_head(AdjustsTake, bpy.types.Operator):
    """Choose what carries the head's motion; through the camera it looks the same"""

    bl_idname = "spark.move_head"
    bl_label = "Head Motion"

    place: EnumProperty(name="Place", description="What moves", items=PLACES)

    def change(self, context: bpy.types.Context, head: HeadObjects, action: bpy.types.Action) -> None:
        if context.mode != "OBJECT":
            raise SparkError("Blender is in another mode; go to Object Mode and try again")
        try:
            move_head(head, self.place, context.scene.camera)
        finally:
            play(action)


CLASSES = (
    SPARK_OT_set_rest,
    SPARK_OT_clear_rest,
    SPARK_OT_list_keys,
    SPARK_OT_reset_adjustments,
    SPARK_OT_keep_adjustments,
    SPARK_OT_retime,
    SPARK_OT_move_head,
)
