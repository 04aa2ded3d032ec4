"""Models of every format that is not .tflite become a float .tflite: one worker program for each framework."""

from tinydeploy.convert.sources.formats import SourceFormat, source_format
from tinydeploy.convert.sources.live import save_live
from tinydeploy.convert.sources.to_float import to_float

__all__ = ["SourceFormat", "save_live", "source_format", "to_float"]
