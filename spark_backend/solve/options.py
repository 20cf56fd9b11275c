"""The solver's weights, all in one place, each with what it stands for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SolveOptions:
    """Standard deviations and strengths. Image errors are in units of the interocular distance."""

    noise: float = 0.008
    """Standard deviation of a landmark, added to what the embedding's own spread gives."""
    place_noise: float = 0.0015
    """Metres: the most that the embedding's spread counts. What is above is people's difference, which the identity
    explains; trusting the outline of the face less because of it tilts the head."""
    evidence: float = 0.25
    """How much of its nominal information a landmark carries: neighbours err together."""
    outlier: float = 2.5
    """Errors beyond so many standard deviations lose their pull (Cauchy)."""
    expression_noise: float = 0.15
    """Part of the way that an expression carries a landmark by which its place is uncertain."""
    aperture_noise: float = 0.008
    """Standard deviation of the height of an opening, lips or lids, which must be right where places need not be."""
    sparsity: float = 0.7
    """Pull of a weight towards 0 (exponential prior)."""
    weight_sigma: float = 0.7
    """And its half-normal spread."""
    score_sigma: float = 0.45
    """Trust in MediaPipe's own score of the expressions that it scores well."""
    blink_sigma: float = 0.2
    """The same of blinks, which it scores best; without it a lowered gaze passes for half-closed lids."""
    encoder_sigma: float = 0.14
    """Standard deviation of the encoder's answers; the generic one's on made-up people that it has not learnt from."""
    gaze_sigma: float = 0.4
    """Radians; prior of the gaze."""
    vergence_sigma: float = 0.06
    """Radians; prior of the difference between the eyes."""
    identity_strength: float = 0.25
    """Weight of the identity's Gaussian prior for each frame that takes part: landmarks err in the same way in every
    frame, so more frames do not make the person better known without end."""
    focal_sigma: float = 0.35
    """Spread of the logarithm of the focal length about its prior."""
    focal_prior: float = 1.5
    """Focal length in units of the longer side of the picture: 54 mm in 35 mm film terms."""
    # Temporal terms: standard deviation of the second difference at 30 frames a second.
    turn_jerk: float = 0.004
    """Radians."""
    place_jerk: float = 0.0006
    """Of x / z and y / z."""
    depth_jerk: float = 0.002
    """Of log z, which landmarks see worst."""
    weight_jerk: float = 0.05
    lid_jerk: float = 0.3
    """Of blinks, which are as fast as a few frames."""
    gaze_jerk: float = 0.06
    """Radians; saccades are fast."""
    jerk_outlier: float = 2.0
    """Second differences beyond so many deviations cost less than their square (Huber): real starts and stops."""
    rounds: int = 2
    """How often the landmarks' precision is renewed from the solution so far."""
    iterations: int = 8
    """Steps of Levenberg and Marquardt in a round."""
    tolerance: float = 1e-4
    """Stop when the cost falls by less than this part."""
