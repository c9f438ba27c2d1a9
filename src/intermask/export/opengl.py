"""VTK, loaded only when something is drawn, and a window that needs no screen."""

from __future__ import annotations

import os
import sys
from typing import Any

from intermask.errors import MissingExtra, UserError


def load_vtk() -> Any:
    """VTK's classes that are used here, in one namespace; importing all of VTK takes seconds."""
    from types import SimpleNamespace

    try:
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the drawing classes)
        from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkPoints
        from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
        from vtkmodules.vtkFiltersSources import vtkPlaneSource
        from vtkmodules.vtkRenderingCore import (
            vtkActor,
            vtkLight,
            vtkPolyDataMapper,
            vtkRenderer,
            vtkRenderWindow,
            vtkTexture,
            vtkWindowToImageFilter,
        )
    except ImportError as error:
        raise MissingExtra("video", "vtk") from error
    return SimpleNamespace(
        numpy_to_vtk=numpy_to_vtk, vtk_to_numpy=vtk_to_numpy, vtkPoints=vtkPoints,
        vtkCellArray=vtkCellArray,
        vtkImageData=vtkImageData, vtkPolyData=vtkPolyData, vtkPlaneSource=vtkPlaneSource,
        vtkActor=vtkActor, vtkLight=vtkLight, vtkPolyDataMapper=vtkPolyDataMapper,
        vtkRenderer=vtkRenderer, vtkRenderWindow=vtkRenderWindow, vtkTexture=vtkTexture,
        vtkWindowToImageFilter=vtkWindowToImageFilter,
    )  # fmt: skip


def off_screen_window(vtk: Any) -> Any:
    """A window without a screen: through EGL where there is no display, else VTK's own choice."""
    import vtkmodules.vtkRenderingOpenGL2 as opengl

    headless = sys.platform == "linux" and not os.environ.get("DISPLAY")
    kind = getattr(opengl, "vtkEGLRenderWindow", None) if headless else None
    window = (kind or vtk.vtkRenderWindow)()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    if not window.SupportsOpenGL():
        raise UserError(
            "cannot draw: VTK found no OpenGL on this computer; install Mesa's software renderer "
            "(Debian and Ubuntu: apt install libegl1 libgl1 libgl1-mesa-dri) and try again"
        )
    return window
