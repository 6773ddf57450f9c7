-- wrk script: posts one body, read from the file named by the first argument, and prints a line that run.py reads.

function init(args)
	local file = assert(io.open(args[1], "rb"))
	wrk.method = "POST"
	wrk.body = file:read("*a")
	wrk.headers["Content-Type"] = "application/json"
	file:close()
end

function done(summary, latency, requests)
	local errors = summary.errors
	io.write(string.format(
		"RESULT requests=%d refused=%d failed=%d microseconds=%d p50_us=%d p99_us=%d\n",
		summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
		summary.duration, latency:percentile(50), latency:percentile(99)))
end
