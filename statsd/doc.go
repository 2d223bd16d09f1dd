// Package statsd sends numbers to a StatsD or DogStatsD daemon, under Gunicorn's
// names.
//
// A [Client] collects for a second and then sends what came together in few
// datagrams: counters as sums, times one by one up to [MaxTimes] and beyond that
// as a fair sample with its rate. Nobody who gives it numbers ever waits for
// the network. A loop that answers requests keeps a [Tally] of its own and hands
// it over now and then, so that it takes no lock for a request.
//
// Datagrams that cannot be sent are lost, as is usual with StatsD; the function
// given to [New] is told when that begins and when it ends.
package statsd
