# One binary in a small image. SQLite is inside the binary; time zones and root certificates are too.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home /var/lib/lyhord lyhord && mkdir -p /var/lib/lyhord && chown lyhord /var/lib/lyhord
COPY --from=build /src/target/release/lyhord /usr/local/bin/lyhord
COPY config /etc/lyhord
USER lyhord
ENV LYHORD_CONFIG=/etc/lyhord LYHORD_DATABASE=sqlite:/var/lib/lyhord/lyhord.sqlite
VOLUME /var/lib/lyhord
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["lyhord"]
