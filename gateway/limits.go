package gateway

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/http1"
)

const (
	inlineBody  = 64 << 10 // bodies up to this travel inside the message
	readBuffer  = 160 << 10
	smallRoom   = 1 << 10 // for a head that comes in pieces, to begin with
	roomFactor  = 8       // no more than so many times what came of a request is kept room for
	keepMessage = 8 << 10 // a request's message memory that is kept for the next
	keepLarge   = 1 << 20 // the same of larger ones, of all requests of a loop together
	batch       = 64      // messages for one sendmmsg
	replyBatch  = 8       // messages for one recvmmsg
	acceptBatch = 64      // connections taken before other work has its turn

	// silence is how long the stream to a half-closed client may be silent. That
	// it closed its half is all that is seen of a client that left, until
	// something is written to it.
	silence = int64(time.Second)

	lingerTime = int64(2 * time.Second)
	// lingerDraining is shorter, because the stop of the service waits for it.
	lingerDraining = int64(300 * time.Millisecond)
	lingerReads    = 16 // of the scratch buffer's size each, in one round

	// firstRequestTime is how long a drain waits for the first request of a
	// connection that was accepted but has sent nothing yet.
	firstRequestTime = int64(time.Second)

	turnLimit    = int64(8 * time.Millisecond) // below the 10 ms of Go's monitor: see yield
	beatPeriod   = int64(100 * time.Millisecond)
	sweepPeriod  = int64(250 * time.Millisecond)
	waitLimit    = 500                     // ms; a loop turns at least this often, to beat and to sweep
	waitShort    = 50                      // ms; the same while something is due soon
	probeAfter   = 5                       // s; between probes of a client that sent its end
	pauseQuiet   = int64(10 * time.Second) // between two words in the log about it
	acceptPause  = int64(200 * time.Millisecond)
	searchPeriod = int64(50 * time.Millisecond)
	searchTime   = int64(3 * time.Second)
)

// limits are the configured times in the loop's unit, nanoseconds.
type limits struct {
	keepAlive    int64
	patience     int64
	bodyRate     int64
	queueTimeout int64
	queue        int
	body         int64 // 0 for none
	connections  int64 // of all loops; 0 for none
}

func (c Config) limits() limits {
	return limits{
		keepAlive:    int64(max(c.KeepAlive, 0)),
		patience:     int64(c.Patience),
		bodyRate:     c.MinBodyRate,
		queueTimeout: int64(c.QueueTimeout),
		queue:        (c.Queue + c.Loops - 1) / c.Loops,
		body:         c.BodyLimit,
		connections:  int64(c.Connections),
	}
}

// withRoom caps the connections by the limit of open files if they have no cap
// of their own. An eighth is left to what requests open for a while: bodies in
// files, files and streams of responses.
func (c Config) withRoom(files uint64) Config {
	if c.Connections == 0 {
		c.Connections = roomFor(files)
	}
	return c
}

// roomFor is how many connections so many open files are enough for.
func roomFor(files uint64) int { return int(min(max(files-files/8, 32)-16, 1<<30)) }

// openFiles is the limit of open files of this process.
func openFiles() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024 // the usual one
	}
	return limit.Cur
}

// rules are the parser's limits.
func (c Config) rules() http1.Limits {
	rules := http1.DefaultLimits()
	rules.Line, rules.Fields, rules.FieldSize = c.LineLimit, c.Fields, c.FieldLimit
	rules.Head = c.HeadLimit
	rules.Permit = c.Permit
	return rules
}
