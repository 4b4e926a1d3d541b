-- Sends the requests of a file in turn, over and over, and says at the end how it went, as one line of JSON.
-- The file holds whole HTTP requests, separated by the byte 0x1E.
local requests, at = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for request in file:read("*a"):gmatch("[^\30]+") do
    requests[#requests + 1] = request
  end
  file:close()
  -- Rounds begin at different places, so that a short round is not always the same few requests.
  at = tonumber(arguments[2]) % #requests
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"failed":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, errors.status + errors.connect + errors.read + errors.write,
    latency:percentile(50), latency:percentile(99)
  ))
end
