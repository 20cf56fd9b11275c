"""The panel Adjust: what can be changed after the bake, and the take on another character."""

import bpy

from .adjust_properties import SPARK_PG_adjust, SPARK_PG_adjusted_key, head_in
from .adjust_retarget import SPARK_PG_mapping_row, rig_of
from .drawing import paragraph
from .panels.base import ORDER, SparkPanel, split_column
from .scene.captured import action_of
from .scene.head_motion import place_of
from .scene.mapping import BONES
from .scene.performance import REGIONS


class SPARK_PT_adjust(SparkPanel, bpy.types.Panel):
    bl_label = "Adjust"
    bl_order = ORDER.index("adjust")
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, head = self.layout, head_in(context)
        if head is None:
            paragraph(layout, context, "Bake a take first")
            return
        settings = action_of(head.armature).spark_adjust
        if settings.fault:
            paragraph(layout, context, settings.fault, "ERROR")
        column = split_column(layout)
        for region in REGIONS:
            column.prop(settings, region, slider=True)
        column.prop(settings, "mirror")
        row = layout.row(align=True)
        row.operator("spark.reset_adjustments", icon="LOOP_BACK")
        row.operator("spark.keep_adjustments", icon="CHECKMARK")


class AdjustPart(SparkPanel):
    """A part of the panel, there when a head plays a take."""

    bl_parent_id = "SPARK_PT_adjust"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return head_in(context) is not None


def settings_in(context: bpy.types.Context) -> SPARK_PG_adjust:
    """The sliders of the shown head's action."""
    return action_of(head_in(context).armature).spark_adjust


class SPARK_UL_adjusted_keys(bpy.types.UIList):
    """Every shape key with its strength"""

    def draw_item(
        self, context, layout, data, item: SPARK_PG_adjusted_key, icon, active_data, active_property, index
    ) -> None:
        row = layout.row()
        row.label(text=item.name)
        row.prop(item, "strength", text="", slider=True)


class SPARK_PT_adjust_keys(AdjustPart, bpy.types.Panel):
    bl_label = "Shape Keys"

    def draw(self, context: bpy.types.Context) -> None:
        settings = settings_in(context)
        if settings.keys:
            self.layout.template_list("SPARK_UL_adjusted_keys", "", settings, "keys", settings, "key_index", rows=6)
        else:
            self.layout.operator("spark.list_keys", icon="PRESET")


class SPARK_PT_adjust_clean(AdjustPart, bpy.types.Panel):
    bl_label = "Clean Up"

    def draw(self, context: bpy.types.Context) -> None:
        settings = settings_in(context)
        column = split_column(self.layout)
        column.prop(settings, "smoothing")
        column.prop(settings, "tolerance")
        row = self.layout.row(align=True)
        row.operator("spark.set_rest", icon="ARMATURE_DATA")
        if settings.has_rest:
            row.operator("spark.clear_rest", text="", icon="X")


class SPARK_PT_adjust_time(AdjustPart, bpy.types.Panel):
    bl_label = "Timing"

    def draw(self, context: bpy.types.Context) -> None:
        settings = settings_in(context)
        column = split_column(self.layout)
        column.prop(settings, "use_trim")
        if settings.use_trim:
            column.prop(settings, "first")
            column.prop(settings, "last")
        column.prop(settings, "loop")
        self.layout.operator("spark.retime", icon="TIME")


class SPARK_PT_adjust_head(AdjustPart, bpy.types.Panel):
    bl_label = "Head Motion"

    def draw(self, context: bpy.types.Context) -> None:
        place = place_of(action_of(head_in(context).armature))
        row = self.layout.row(align=True)
        for name in ("BONE", "OBJECT", "CAMERA"):
            row.operator("spark.move_head", text=name.capitalize(), depress=place == name).place = name


class SPARK_UL_mapping(bpy.types.UIList):
    """Pairs of shape keys"""

    def draw_item(
        self, context, layout, data, item: SPARK_PG_mapping_row, icon, active_data, active_property, index
    ) -> None:
        row = layout.split(factor=0.76, align=True)
        names = row.row(align=True)
        names.prop(item, "source", text="", emboss=False)
        names.prop(item, "target", text="", emboss=False)
        row.prop(item, "factor", text="")


class SPARK_PT_retarget(AdjustPart, bpy.types.Panel):
    bl_label = "Retarget"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings, target = self.layout, context.scene.spark_retarget, context.scene.spark_retarget.target
        layout.prop(settings, "target", text="")
        if target is None:
            return
        layout.operator("spark.guess_mapping", icon="VIEWZOOM")
        row = layout.row()
        row.template_list("SPARK_UL_mapping", "", settings, "rows", settings, "row_index", rows=5)
        buttons = row.column(align=True)
        buttons.operator("spark.add_mapping_row", text="", icon="ADD")
        buttons.operator("spark.remove_mapping_row", text="", icon="REMOVE")
        column = split_column(layout)
        if settings.row_index < len(settings.rows) and target.type == "MESH" and target.data.shape_keys:
            item, head = settings.rows[settings.row_index], head_in(context)
            column.prop_search(item, "source", head.mesh.data.shape_keys, "key_blocks")
            column.prop_search(item, "target", target.data.shape_keys, "key_blocks")
        if (rig := rig_of(target)) is not None:
            for bone in BONES:
                column.prop_search(settings, bone, rig.data, "bones", icon="BONE_DATA")
        row = layout.row(align=True)
        row.prop(settings, "preset", text="")
        row.operator("spark.save_mapping", text="", icon="FILE_TICK")
        row.operator("spark.load_mapping", text="", icon="FILE_FOLDER")
        layout.operator("spark.retarget", icon="KEYFRAME_HLT")


CLASSES = (
    SPARK_UL_adjusted_keys,
    SPARK_UL_mapping,
    SPARK_PT_adjust,
    SPARK_PT_adjust_keys,
    SPARK_PT_adjust_clean,
    SPARK_PT_adjust_time,
    SPARK_PT_adjust_head,
    SPARK_PT_retarget,
)
