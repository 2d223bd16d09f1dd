-- wrk prints percentiles up to the 99th; this adds what the results want besides.
done = function(summary, latency, requests)
  io.write(string.format("p99.9 %d us\n", latency:percentile(99.9)))
end
