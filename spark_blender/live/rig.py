"""A live pose on the rig: shape keys in one call, six bones, in a few tenths of a millisecond.

While live runs, the head plays no action: an action would win at every change of the frame. It gets its own back when
live stops, or the one that was baked meanwhile.
"""

from dataclasses import dataclass

import bpy
import numpy as np

from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import POSE_PARTS, LivePose
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.placement import world_from_camera
from spark_backend.protocol.take import Take

from ..scene.armature import bone_motions
from ..scene.scene import HeadObjects


@dataclass(frozen=True)
class Playing:
    """The action that a data-block plays, by name: undo makes new objects of old names."""

    action: str
    slot: str
    """Identifier of the slot; empty before 4.4."""


class RigDriver:
    """Drives one head until it is let go of."""

    def __init__(self, head: HeadObjects, avatar: Avatar) -> None:
        self.names = head.armature.name, head.mesh.name
        self.avatar = avatar
        self.world: np.ndarray | None = None
        blocks = head.mesh.data.shape_keys.key_blocks
        known = [name for name in ARKIT_52 if name in blocks]
        self.source = [ARKIT_52.index(name) for name in known]
        self.target = [blocks.find(name) for name in known]
        self.values = np.zeros(len(blocks), np.float32)
        blocks.foreach_get("value", self.values)
        self.played = [take_action(owner) for owner in owners(head)]

    def head(self) -> HeadObjects:
        """The objects, found anew by their names; `SparkError` when they have gone."""
        armature, mesh = (bpy.data.objects.get(name) for name in self.names)
        if armature is None or mesh is None or mesh.data.shape_keys is None:
            raise SparkError("The head is no longer in the scene; import it and start again")
        return HeadObjects(armature, mesh)

    def apply(self, pose: LivePose) -> None:
        """Puts the head into a pose."""
        head, take = self.head(), moment(pose)
        if self.world is None:
            self.world = world_from_camera(self.avatar, take)
        self.values[self.target] = pose.weights[self.source]
        keys = head.mesh.data.shape_keys
        if len(keys.key_blocks) != len(self.values):
            raise SparkError("The head's shape keys have changed; start again")
        keys.key_blocks.foreach_set("value", self.values)
        keys.update_tag()  # which foreach_set leaves out
        bones = head.armature.pose.bones
        for name, motion in bone_motions(head.armature, self.avatar, take, self.world).items():
            bones[name].rotation_quaternion = motion.rotation[0]
            if motion.location is not None:
                bones[name].location = motion.location[0]

    def place_anew(self) -> None:
        """The next pose is where the head belongs: after a calibration."""
        self.world = None

    def rest_actions(self) -> None:
        """Lets the head play nothing; after something was baked, that is what it gets back in the end."""
        playing = [take_action(owner) for owner in owners(self.head())]
        if any(playing):
            self.played = playing

    def let_go(self) -> None:
        """The head plays again what it played."""
        try:
            head = self.head()
        except SparkError:
            return
        for owner, played in zip(owners(head), self.played, strict=True):
            give_back(owner, played)


def owners(head: HeadObjects) -> tuple[bpy.types.ID, bpy.types.ID]:
    """What of a head can be animated."""
    return head.armature, head.mesh.data.shape_keys


def take_action(owner: bpy.types.ID) -> Playing | None:
    """Takes a data-block's action away; gives what it was."""
    animation = owner.animation_data
    if animation is None or animation.action is None:
        return None
    slot = getattr(animation, "action_slot", None)
    playing = Playing(animation.action.name, slot.identifier if slot else "")
    animation.action = None
    return playing


def give_back(owner: bpy.types.ID, playing: Playing | None) -> None:
    """Gives a data-block its action again, unless it has got another meanwhile or the action has gone."""
    animation = owner.animation_data
    if playing is None or animation is None or animation.action is not None:
        return
    action = bpy.data.actions.get(playing.action)
    if action is None:
        return
    animation.action = action
    if playing.slot and playing.slot in action.slots:
        animation.action_slot = action.slots[playing.slot]


def moment(pose: LivePose) -> Take:
    """A take of one frame."""
    parts = {name: np.asarray(getattr(pose, name))[None] for name, _ in POSE_PARTS}
    one = np.ones(1)
    return Take(pts=np.zeros(1), names=ARKIT_52, K=np.eye(3), size=one, confidence=one, valid=one.astype(bool), **parts)
