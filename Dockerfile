FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
# The package names targets in these two; only the program is built.
COPY tests tests
COPY benches benches
RUN cargo build --release --locked

FROM debian:bookworm-slim
# Certificates age: the release's newest are wanted, not a pinned version.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 7306 cdb-backupd \
 && useradd --uid 7306 --gid 7306 --no-create-home --home-dir /var/lib/cdb-backupd --shell /usr/sbin/nologin cdb-backupd \
 && install --directory --owner=cdb-backupd --group=cdb-backupd --mode=0750 /var/lib/cdb-backupd
COPY --from=build /src/target/release/cdb-backupd /usr/bin/cdb-backupd
# The answers of the page come from several threads; each would keep memory of its own otherwise.
ENV MALLOC_ARENA_MAX=2
# By number, so that an orchestrator can see that it is not root.
USER 7306:7306
VOLUME /var/lib/cdb-backupd
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/usr/bin/cdb-backupd", "health"]
ENTRYPOINT ["/usr/bin/cdb-backupd"]
CMD ["run", "--config", "/etc/cdb-backupd/policy.yaml"]
