# SPDX-License-Identifier: Apache-2.0
#
# One image for every program; the command names the program. Everything that pip installs is named
# by hash in a lock. pip asks the index that it is configured for: none is named here.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
COPY requirements/dev.txt requirements/dev.txt
# For the one tool that builds the wheel: so that it, too, is the one that the lock names.
RUN python -m pip install --no-cache-dir --require-hashes --requirement requirements/dev.txt
COPY . .
RUN python -m hatchling build --target wheel --directory /wheel

FROM ${PYTHON_IMAGE}
COPY requirements/runtime.txt /tmp/runtime.txt
RUN python -m pip install --no-cache-dir --require-hashes --requirement /tmp/runtime.txt
COPY --from=build /wheel /tmp/wheel
RUN python -m pip install --no-cache-dir --no-deps /tmp/wheel/*.whl && rm -r /tmp/wheel /tmp/runtime.txt
# Its number is in compose.yaml, too; it owns nothing in the image.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent a6hub
USER 10001:10001
WORKDIR /
ENTRYPOINT ["a6hub"]
CMD ["--help"]
