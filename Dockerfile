# Gateway and dispatcher in one image, Redis in another target. Both run as uid 10001 on a read-only
# root file system. Build: podman build -t yimen .   and   podman build --target redis -t yimen-redis .
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      gcc libc6-dev make pkg-config nginx-light nginx-dev libhiredis-dev libjansson-dev libjwt-dev \
      libyaml-dev libcurl4-openssl-dev libxml2-dev unixodbc-dev libpcre2-dev libssl-dev libunistring-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY core core
COPY ngx_module ngx_module
COPY adapters adapters
COPY scripts scripts
RUN make -j"$(nproc)" all && strip build/yimen build/yimen-dispatcher build/nginx/ngx_http_yimen_module.so

# The portal's static files; Debian 12's Node is too old for Vite, npm has a newer one.
FROM debian:bookworm-slim AS portal
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY scripts scripts
COPY portal portal
RUN mkdir -p build/tools tests && cd build/tools && echo '{"private":true}' >package.json \
    && npm install --no-audit --no-fund --silent node@22 && cd /src && scripts/build-portal /src/build/portal

FROM debian:bookworm-slim AS redis
RUN apt-get update && apt-get install -y --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home yimen \
    && install -d -o yimen -g yimen /run/yimen /data
COPY config/redis.conf /etc/yimen/redis.conf
USER 10001
HEALTHCHECK --interval=10s --timeout=3s CMD redis-cli -s /run/yimen/redis.sock ping
CMD ["redis-server", "/etc/yimen/redis.conf", "--unixsocket", "/run/yimen/redis.sock", "--dir", "/data", "--daemonize", "no"]

FROM debian:bookworm-slim AS yimen
RUN apt-get update && apt-get install -y --no-install-recommends \
      nginx-light libhiredis0.14 libjansson4 libjwt0 libyaml-0-2 libcurl4 libxml2 libodbc2 \
      odbc-mariadb odbc-postgresql libpcre2-8-0 libunistring2 ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* /var/log/nginx \
    && useradd --system --uid 10001 --user-group --no-create-home yimen \
    && install -d -o yimen -g yimen /run/yimen /var/lib/yimen
COPY --from=build /src/build/yimen /src/build/yimen-dispatcher /usr/local/bin/
COPY --from=build /src/build/nginx/ngx_http_yimen_module.so /usr/lib/nginx/modules/
COPY --from=portal /src/build/portal /usr/share/yimen/portal
COPY config /etc/yimen
COPY adapters/systems /etc/adapters/systems
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD curl -fsS http://127.0.0.1:8080/healthz || exit 1
# A broken adapter or type stops here, with file and line, before anything is served.
CMD ["sh", "-c", "yimen check --config /etc/yimen/yimen.yaml && exec nginx -p /usr/share/nginx -e stderr -c /etc/yimen/nginx.conf -g 'daemon off;'"]
