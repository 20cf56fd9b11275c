"""The sliders of the panel Adjust. They live on the action, so every take has its own, saved with it."""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .adjust_playing import play
from .adjust_wish import wish_of
from .scene.adjust import apply, heads_of_takes, move_head
from .scene.captured import action_of, forget_captured
from .scene.head_motion import hand_back, place_of
from .scene.scene import HeadObjects


def play_anew(settings: "SPARK_PG_adjust | SPARK_PG_adjusted_key", context: bpy.types.Context) -> None:
    """A slider was moved: every head that plays the action shows it."""
    play(settings.id_data)


def play_trimmed(settings: "SPARK_PG_adjust", context: bpy.types.Context) -> None:
    """The range of the trim was changed, which shows only while the trim is on."""
    if settings.use_trim:
        play_anew(settings, context)


def strength(name: str, description: str) -> FloatProperty:
    """A slider from nothing over as captured to double."""
    options = {"default": 1.0, "min": 0.0, "max": 5.0, "soft_max": 2.0, "step": 5, "subtype": "FACTOR"}
    return FloatProperty(name=name, description=description, update=play_anew, **options)


class SPARK_PG_adjusted_key(bpy.types.PropertyGroup):
    """One shape key of a take; its `name` is the key's"""

    strength: strength("Strength", "How strongly this shape key moves, on top of its region; 1 is as captured")
    rest: FloatProperty(description="What this shape key shows in the resting face")


class SPARK_PG_adjust(bpy.types.PropertyGroup):
    """How a take differs from what was captured"""

    brows: strength("Brows", "How strongly the brows move; 1 is as captured")
    eyes: strength("Eyes", "How strongly lids and gaze move, shape keys and bones; 1 is as captured")
    mouth: strength("Mouth", "How strongly mouth, cheeks, nose and tongue move; 1 is as captured")
    jaw: strength("Jaw", "How strongly the jaw moves, shape keys and bone; 1 is as captured")
    head: strength("Head", "How far the head moves from its mean pose; 0 holds it still")
    keys: CollectionProperty(type=SPARK_PG_adjusted_key)
    key_index: IntProperty(name="Shape Key", description="The shape key whose strength is set")
    smoothing: FloatProperty(
        name="Smoothing",
        description="Seconds over which curves are evened out, without delay; blinks keep their height",
        **{"min": 0.0, "max": 1.0, "soft_max": 0.2, "step": 0.5, "precision": 3, "update": play_anew},
    )
    tolerance: FloatProperty(
        name="Key Reduction",
        description=(
            "Largest error of a shape key that fewer keys may make, and ten times the largest error of a bone in "
            "radians or metres; 0 keeps every key"
        ),
        **{"min": 0.0, "max": 0.5, "soft_max": 0.05, "step": 0.1, "precision": 3, "update": play_anew},
    )
    mirror: BoolProperty(name="Mirror", description="Exchange left and right", update=play_anew)
    has_rest: BoolProperty(options={"HIDDEN"})
    rest_jaw: FloatVectorProperty(size=4, default=(1.0, 0.0, 0.0, 0.0), options={"HIDDEN"})
    use_trim: BoolProperty(name="Trim", description="Play a part of the take only", update=play_anew)
    first: IntProperty(name="First Frame", description="Where the part begins", default=1, update=play_trimmed)
    last: IntProperty(name="Last Frame", description="Where the part ends", default=250, update=play_trimmed)
    loop: FloatProperty(
        name="Loop Blend",
        description="Seconds before the end in which the face returns to its first pose; 0 makes no loop",
        **{"min": 0.0, "max": 10.0, "soft_max": 2.0, "step": 10, "update": play_anew},
    )
    fault: StringProperty(options={"HIDDEN"})


CLASSES = (SPARK_PG_adjusted_key, SPARK_PG_adjust)


def register_properties() -> None:
    """Gives every action its sliders."""
    bpy.types.Action.spark_adjust = PointerProperty(type=SPARK_PG_adjust)


def unregister_properties() -> None:
    """Takes the sliders out; their values stay in the file."""
    del bpy.types.Action.spark_adjust


def list_keys(head: HeadObjects) -> None:
    """Makes the list of shape keys the head's; strengths that were set stay."""
    settings = action_of(head.armature).spark_adjust
    names = [key.name for key in head.mesh.data.shape_keys.key_blocks[1:]]
    for name in names:
        if name not in settings.keys:
            settings.keys.add().name = name
    for index in reversed([i for i, key in enumerate(settings.keys) if key.name not in names]):
        settings.keys.remove(index)


def reset(action: bpy.types.Action) -> None:
    """Puts all sliders back; the curves follow with the next `play`."""
    settings = action.spark_adjust
    for name in set(settings.bl_rna.properties.keys()) - {"rna_type", "name", "keys"}:
        settings.property_unset(name)
    for key in settings.keys:
        key.property_unset("strength")


def prepare_bake(head: HeadObjects) -> None:
    """Before another take is baked: stands object and camera where they were before they carried the head's motion."""
    action = head.armature.animation_data and head.armature.animation_data.action
    if action and place_of(action) != "BONE":
        move_head(head, "BONE", None)
        apply(head, wish_of(action))


def start_anew(head: HeadObjects) -> None:
    """After a bake: what was just baked is what adjustments start from; the lists and ranges become the take's."""
    action = action_of(head.armature)
    hand_back(head.armature, action)
    forget_captured(action)
    forget_captured(action_of(head.mesh.data.shape_keys))
    reset(action)
    list_keys(head)
    action.spark_adjust.first, action.spark_adjust.last = (round(frame) for frame in action.frame_range)


def head_in(context: bpy.types.Context) -> HeadObjects | None:
    """The head that the panel is about: the active one, else the scene's first that plays a take."""
    found = heads_of_takes(context.scene)
    active = context.view_layer.objects.active
    return next((head for head in found if active in (head.armature, head.mesh)), found[0] if found else None)
