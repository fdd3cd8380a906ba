-- SPDX-License-Identifier: Apache-2.0
-- wrk script: every request is a new record with its own idempotency key.
local file = io.open(os.getenv("BENCH_BODY"), "r")
local body = file:read("*a")
file:close()
local token = os.getenv("BENCH_TOKEN")
local path = os.getenv("BENCH_PATH") or "/api/v1/records"
local n, bad = 0, 0
local run = tostring(os.time()) .. tostring(math.random(1000000))

function request()
  n = n + 1
  return wrk.format("POST", path, {
    ["Content-Type"] = "application/json",
    ["Authorization"] = token and ("Bearer " .. token) or nil,
    ["Idempotency-Key"] = run .. "-" .. n,
  }, body)
end

function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %.1f %.3f %d\n", summary.requests / summary.duration * 1e6, latency:percentile(99) / 1000, failed))
end
