# The program alone in an image: no shell, no package manager, nobody but uid 65532, and /data the only place it writes to.
#   docker build --build-arg TRADING_COMMIT="$(git rev-parse --short=12 HEAD)" --tag trading .
# docker-compose.yml has the rest; deploy/README.md says how it is run.
# `cargo xtask image-check` carries out these lines without a container engine, and runs what comes out.

ARG RUST=1.95-bookworm

# What decides about the dependencies, and nothing else: a stage of its own, so that a change of our code leaves the stage below
# as it is, dependencies compiled and all.
FROM rust:${RUST} AS manifests
WORKDIR /src
COPY . .
RUN sh deploy/image/build manifests

FROM rust:${RUST} AS program
WORKDIR /src
COPY --from=manifests /src .
RUN sh deploy/image/build dependencies
COPY . .
# The repository is not in the context. Down here, so that another commit leaves the dependencies compiled.
ARG TRADING_COMMIT=unknown
RUN sh deploy/image/build program

# Not one of the ready-made bases: the program needs four libraries of the stage above (glibc and libgcc), which that copies.
# Time zones are compiled in. Nothing else is there that somebody would have to follow, or could use against us.
FROM scratch
COPY --from=program /src/image/root /
COPY --from=program --chown=65532:65532 /src/image/owned /
WORKDIR /app
# TMPDIR: SQLite sorts what is large in temporary files, and falls back to the working folder, which is read-only.
ENV ENVIRONMENT=production \
    DATABASE_PATH=/data/trading_automation.db \
    BACKUP__PATH=/data/backups \
    LOG_PATH=/data/logs \
    MONITORING__HOST=0.0.0.0 \
    MONITORING__ALLOW_UNAUTHENTICATED=true \
    MONITORING__PORT=8080 \
    TMPDIR=/data
USER 65532:65532
VOLUME ["/data"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/trading", "health"]
LABEL org.opencontainers.image.title="trading" \
      org.opencontainers.image.description="The infrastructure of a trading automation system" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
ENTRYPOINT ["/usr/local/bin/trading"]
CMD ["serve"]
