# syntax=docker/dockerfile:1
# For an NVIDIA GPU. Not built yet: only what it copies is tested.
#   docker build -t tbbench .
#   docker run --rm --gpus all -v "$PWD/runs:/bench/runs" -v tbbench-cache:/cache tbbench doctor
# The host's runs/ must be writable by user 1000. The base brings torch, torchvision and CUDA.
FROM pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime

RUN useradd --create-home --uid 1000 bench \
    && mkdir -p /bench/runs /cache \
    && chown -R bench /bench /cache

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY textboost textboost
COPY methods methods
COPY benchmark benchmark
COPY reports reports
COPY datasets datasets
RUN --mount=type=cache,target=/pip python -m pip install --cache-dir /pip .

ENV HF_HOME=/cache/huggingface XDG_CACHE_HOME=/cache
USER bench
WORKDIR /bench
ENTRYPOINT ["tbbench"]
CMD ["--help"]
