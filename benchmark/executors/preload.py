"""Everything a cell imports, imported once: workers are forked from a process that holds it.

The classes are named because diffusers and transformers import them only when they are asked for.
Nothing here may start a thread or touch a GPU, or a forked worker could hang.
"""

import contextlib

import numpy
import open_clip
import pandas
import peft
import PIL.Image
import pyarrow.parquet
import timm
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel, CLIPTokenizer

import benchmark.cell
import benchmark.cli
import benchmark.executors.worker
import benchmark.metrics.encoders
from benchmark import loaded_code
from benchmark.metrics import get_metric, own_metric_names
from methods import get_method, own_method_names

PRELOADED = (
    *(numpy, open_clip, pandas, peft, PIL.Image, pyarrow.parquet, timm, torch),
    *(AutoencoderKL, UNet2DConditionModel, StableDiffusionPipeline, CLIPTextModel, CLIPTokenizer),
    *(DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler),
    *(benchmark.cell, benchmark.cli, benchmark.executors.worker, benchmark.metrics.encoders),
)

# Plug-ins are imported by the cells that name them alone: installed is not asked for.
for _name in own_method_names():
    with contextlib.suppress(Exception):
        get_method(_name)
for _name in own_metric_names():
    with contextlib.suppress(Exception):
        get_metric(_name)
loaded_code.remember()
