# One image, two commands: the gateway (nginx with the module) and the dispatcher.
# Build: podman build -t yimen .      Both run as uid 10001 on a read-only root file system.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      gcc libc6-dev make pkg-config nginx-light nginx-dev libhiredis-dev libjansson-dev libjwt-dev \
      libyaml-dev libcurl4-openssl-dev libxml2-dev unixodbc-dev libpcre2-dev libssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY core core
COPY ngx_module ngx_module
COPY adapters adapters
COPY scripts scripts
RUN make -j"$(nproc)" all && strip build/yimen build/yimen-dispatcher build/nginx/ngx_http_yimen_module.so

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
      nginx-light libhiredis0.14 libjansson4 libjwt0 libyaml-0-2 libcurl4 libxml2 libodbc2 \
      odbc-mariadb odbc-postgresql libpcre2-8-0 ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* /etc/nginx /var/log/nginx \
    && useradd --system --uid 10001 --user-group --no-create-home yimen \
    && install -d -o yimen -g yimen /run/yimen /var/lib/yimen
COPY --from=build /src/build/yimen /src/build/yimen-dispatcher /usr/local/bin/
COPY --from=build /src/build/nginx/ngx_http_yimen_module.so /usr/lib/nginx/modules/
COPY config /etc/yimen
COPY adapters/systems /etc/adapters/systems
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD curl -fsS http://127.0.0.1:8080/healthz || exit 1
# A broken adapter or type stops here, with file and line, before anything is served.
CMD ["sh", "-c", "yimen check --config /etc/yimen/yimen.yaml && exec nginx -p /usr/share/nginx -c /etc/yimen/nginx.conf -g 'daemon off;'"]
