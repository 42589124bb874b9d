# syntax=docker/dockerfile:1
#
# Build:  docker build --build-arg ROTATOR_REVISION="$(git rev-parse --short HEAD)" -t rotator:0.1.0 .
# Run:    docs/operations.md
#
# Pin the base by digest where builds must repeat: append @sha256:... as `docker buildx imagetools inspect
# python:3.13-slim` prints it, and have a bot raise it. A tag follows the security fixes of Python and Debian.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv --without-pip /opt/rotator
COPY requirements.lock /src/
RUN python -m pip --python /opt/rotator/bin/python install --require-hashes --only-binary :all: -r /src/requirements.lock
# The package is pure Python: it is copied, so that no build tool from outside the lock file takes part.
COPY rotator /src/rotator
RUN cp -r /src/rotator "$(/opt/rotator/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/" \
 && printf '#!/opt/rotator/bin/python -IB\nfrom rotator.__main__ import main\nmain()\n' > /opt/rotator/bin/rotator \
 && chmod 0755 /opt/rotator/bin/rotator \
 && /opt/rotator/bin/python -m compileall -q /opt/rotator/lib \
 && /opt/rotator/bin/rotator --version

FROM ${BASE}
ARG ROTATOR_REVISION=unknown
LABEL org.opencontainers.image.title="rotator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${ROTATOR_REVISION}"
ENV PATH=/opt/rotator/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/rotator \
    ROTATOR_REVISION=${ROTATOR_REVISION}
RUN groupadd --gid 10001 rotator \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/rotator --shell /usr/sbin/nologin rotator \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/rotator /run/rotator
COPY LICENSE /usr/share/doc/rotator/
COPY --from=build /opt/rotator /opt/rotator
USER 10001:10001
WORKDIR /var/lib/rotator
# The state. /run/rotator holds the admin socket: with a read-only root it needs a tmpfs.
VOLUME ["/var/lib/rotator"]
EXPOSE 9180
# Answers as long as metrics.listen has port 9180. Proxies of the environment are not asked.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-I", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:9180/healthz', timeout=4)"]
ENTRYPOINT ["rotator"]
CMD ["run"]
