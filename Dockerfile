# syntax=docker/dockerfile:1
# The operator's image: one static binary and the certificates of public authorities, without a base image. The test
# cluster makes the same image without a container engine (tests/cluster/src/node/images/operator.rs).
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
ENV RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=/target
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    cargo build --release --locked --package doce-operator --bin doce-operator --target "$(rustc --print host-tuple)" \
    && install -D "/target/$(rustc --print host-tuple)/release/doce-operator" /out/usr/bin/doce-operator \
    && install -D --mode=644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt

FROM scratch
COPY --from=build /out/ /
ENV PATH=/usr/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/usr/bin/doce-operator"]
