-- POST of 10 KB, to be echoed.
wrk.method = "POST"
wrk.body = string.rep("x", 10240)

done = function(summary, latency, requests)
  io.write(string.format("p99.9 %d us\n", latency:percentile(99.9)))
end
