# syntax=docker/dockerfile:1
#
# Build:  docker build --build-arg ROTATOR_REVISION="$(git rev-parse --short HEAD)" -t rotator:0.1.0 .
# Run:    docs/operations.md
#
# The image is made FROM scratch: Python, the packages of the lock file and the libraries that these load, put together
# by deploy/image/assemble.py; neither a shell nor a package manager. Not from a ready-made base without a shell: those
# carry a Python of their own choice, and what is compiled here must run on the Python that it was compiled for.
#
# Pin the base by digest where builds must repeat: append @sha256:... as `docker buildx imagetools inspect
# python:3.13-slim` prints it, and have a bot raise it. A tag follows the security fixes of Python and Debian.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN ["python3", "-m", "venv", "--without-pip", "/opt/rotator"]
COPY requirements.lock /src/
RUN ["python3", "-m", "pip", "--python", "/opt/rotator/bin/python3", "install", "--no-compile", "--require-hashes", "--only-binary", ":all:", "-r", "/src/requirements.lock"]
COPY deploy/image/assemble.py /src/
COPY rotator /src/rotator
# The time of every file in the image, in seconds since 1970.
ARG SOURCE_DATE_EPOCH=0
RUN ["python3", "-IB", "/src/assemble.py", "/rootfs"]

FROM scratch
ARG ROTATOR_REVISION=unknown
LABEL org.opencontainers.image.title="rotator" \
      org.opencontainers.image.description="Keeps container-registry credentials fresh, proven and present" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${ROTATOR_REVISION}"
ENV PATH=/opt/rotator/bin \
    HOME=/var/lib/rotator \
    LANG=C.UTF-8 \
    ROTATOR_REVISION=${ROTATOR_REVISION}
COPY --from=build /rootfs /
COPY LICENSE /usr/share/doc/rotator/
USER 10001:10001
WORKDIR /var/lib/rotator
# The state. /run/rotator holds the admin socket: with a read-only root it needs a tmpfs.
VOLUME ["/var/lib/rotator"]
EXPOSE 9180
# Answers as long as metrics.listen has port 9180. Proxies of the environment are not asked.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-I", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:9180/healthz', timeout=4)"]
ENTRYPOINT ["rotator"]
CMD ["run"]
