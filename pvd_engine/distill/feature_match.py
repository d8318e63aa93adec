"""PVD's first stage between any two architectures: their features are compared, or mapped first."""

import torch
from torch import Tensor, nn

from ..fields.base import Field
from ..fields.radiance_field import RadianceField
from ..kernels.workload import POINTS, concatenated


class FeatureMatch(nn.Module):
    """The comparison of a student's features with its teacher's, each scaled by its deviation.

    Parameters
    ----------
    deviation : (F,) float32
        Standard deviation of each teacher feature after the log-density.
    student_features : int or None
        Number of the student's features after the log-density, where they differ in meaning from
        the teacher's: a linear map to the teacher's is learned with the student. None where they
        mean the same.
    lasting : bool
        True when features are compared after stage 1, too. Coefficients of spherical harmonics are
        colours already: to compare them longer cost a sparse tensor 1.8 dB.
    """

    deviation: Tensor

    def __init__(self, deviation: Tensor, student_features: int | None, lasting: bool) -> None:
        super().__init__()
        self.lasting = lasting
        self.register_buffer("deviation", deviation)
        self.bridge = (
            None if student_features is None else nn.Linear(student_features, len(deviation))
        )

    def error(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the mean squared error (N,) of (N, 1 + F'), (N, 1 + F) without log-densities."""
        features = student[:, 1:] if self.bridge is None else self.bridge(student[:, 1:])
        return ((features - teacher[:, 1:]) / self.deviation).square().mean(dim=-1)


@torch.no_grad()
def match_features(teacher: Field, student: RadianceField, points: Tensor) -> FeatureMatch | None:
    """Return the comparison of both fields' features; None where the teacher has none to learn.

    Parameters
    ----------
    teacher : Field
    student : RadianceField
    points : (N, 3) float32
        Some points that the teacher shows, dataset frame.
    """
    decoder, own = teacher.decoder_form, student.decoder_form
    if decoder is None or own is None or len(points) < 2:
        return None
    features = concatenated(
        points.device, POINTS, len(points), lambda part: teacher.features(points[part])
    )
    deviation = features[:, 1:].std(dim=0).clamp(min=1e-3)
    width = None if own == decoder else student.width - 1
    lasting = own == decoder or student.harmonics_degree is None
    return FeatureMatch(deviation, width, lasting).to(student.device)
