"""Camera and head in Blender's world."""

from dataclasses import replace

import numpy as np
from toy_avatar import toy_avatar, toy_take

from spark_backend.protocol.placement import WORLD_FROM_CAMERA_AXES, WORLD_FROM_CAMERA_QUATERNION, world_from_camera
from spark_backend.protocol.posing import quaternion_to_matrix


def test_axes_and_quaternion_are_the_same_turn():
    np.testing.assert_allclose(quaternion_to_matrix(WORLD_FROM_CAMERA_QUATERNION), WORLD_FROM_CAMERA_AXES, atol=1e-15)


def test_camera_looks_along_y_with_the_picture_upright():
    right, down, forward = WORLD_FROM_CAMERA_AXES.T
    assert (right.tolist(), down.tolist(), forward.tolist()) == ([1, 0, 0], [0, 0, -1], [0, 1, 0])


def test_a_head_that_stands_still_before_the_camera_is_at_its_rest_pose():
    avatar, take = toy_avatar(), toy_take(3)
    pivot = avatar.joints[2]
    facing = np.tile([np.sqrt(0.5), np.sqrt(0.5), 0, 0], (3, 1))
    offset = np.array([0.1, 0.2, 0.9]) - quaternion_to_matrix(facing[0]) @ pivot
    world = world_from_camera(avatar, replace(take, head_rotation=facing, head_translation=np.tile(offset, (3, 1))))
    skull = world[:3, :3] @ quaternion_to_matrix(facing[0])
    np.testing.assert_allclose(skull, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(world[:3, :3] @ offset + world[:3, 3], 0, atol=1e-12)
    np.testing.assert_allclose(world[:3, 3], pivot - np.array([0.1, 0.9, -0.2]), atol=1e-12)


def test_frames_without_a_face_do_not_move_the_camera():
    avatar, take = toy_avatar(), toy_take(9)
    wild = take.head_translation.copy()
    wild[~take.valid] += 100
    changed = world_from_camera(avatar, replace(take, head_translation=wild))
    np.testing.assert_array_equal(changed, world_from_camera(avatar, take))
    none = replace(take, valid=np.zeros(9, bool))
    assert np.isfinite(world_from_camera(avatar, none)).all()
