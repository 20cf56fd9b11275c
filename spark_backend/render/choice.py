"""A rasteriser by its name."""

from importlib import import_module

from ..protocol.errors import SparkError
from .nvdiffrast import NvdiffrastRasterizer
from .pytorch3d import Pytorch3dRasterizer
from .rasterizer import Rasterizer
from .warp import WarpRasterizer

RASTERIZERS = {"warp": WarpRasterizer, "nvdiffrast": NvdiffrastRasterizer, "pytorch3d": Pytorch3dRasterizer}
LIBRARIES = {
    "nvdiffrast": ("nvdiffrast.torch", "git+https://github.com/NVlabs/nvdiffrast"),
    "pytorch3d": ("pytorch3d._C", "git+https://github.com/facebookresearch/pytorch3d"),
}
"""What of a library must be there, and what pip installs it from; both need a compiler."""


def rasterizer_by_name(name: str = "warp") -> Rasterizer:
    """`warp`, `nvdiffrast` or `pytorch3d`. Raises SparkError for other names and where the library is missing."""
    if name not in RASTERIZERS:
        raise SparkError(f"there is no rasteriser {name}; choose one of {', '.join(RASTERIZERS)}")
    if name in LIBRARIES:
        module, source = LIBRARIES[name]
        try:
            import_module(module)
        except ImportError as error:
            remedy = f"install it with pip install --no-build-isolation {source}, or choose the rasteriser warp"
            raise SparkError(f"the rasteriser {name} cannot be loaded ({error}); {remedy}") from error
    return RASTERIZERS[name]()
