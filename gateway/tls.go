package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/gateway/certs"
)

// TLS is how a gateway speaks TLS; nil for not at all.
type TLS struct {
	certs.Options
	// Handshakes is how many may be in progress at a time, once a client has said
	// its first word (1024). Others wait for one to end, within their own
	// deadline, Config.Patience.
	Handshakes int `json:"handshakes"`
	// Recheck is how often the files are looked at (2 s). One that has changed is
	// read when it looks the same twice.
	Recheck time.Duration `json:"recheck"`
	// Plain are names of listeners on which TLS is not spoken.
	Plain []string `json:"plain"`
}

// Certificates are a reader's options; so named here, nobody above needs to know
// it.
type Certificates = certs.Options

// ParseDemand reads cert_reqs: what is asked of clients.
func ParseDemand(text string) (certs.Demand, error) { return certs.ParseDemand(text) }

// NewTLS checks that everything can be read and fits together. Its error names
// the setting and the file. Certificates that are not valid now are let pass: the
// gateway logs them.
func NewTLS(t TLS) (*TLS, error) {
	_, _, err := certs.Load(t.Options)
	if err != nil {
		return nil, fmt.Errorf("prepare TLS: %w", err)
	}
	return &t, nil
}

// scheme is what is spoken on a listener.
func (c Config) scheme(listener string) string {
	if c.TLS == nil || slices.Contains(c.TLS.Plain, listener) {
		return "http"
	}
	return "https"
}

// secrets is what the gateway needs to speak TLS.
type secrets struct {
	store      *certs.Store
	handshakes chan struct{} // holds one for each that is in progress
	recheck    time.Duration
}

// openSecrets reads the certificates.
func (g *gateway) openSecrets() (*secrets, error) {
	c := g.config.TLS
	if c == nil {
		return nil, nil
	}
	handshakes, recheck := c.Handshakes, c.Recheck
	setDefault(&handshakes, 1024)
	setDefault(&recheck, 2*time.Second)
	store, warnings, err := certs.Load(c.Options)
	if err != nil {
		return nil, fmt.Errorf("prepare TLS: %w", err)
	}
	g.warnOf(warnings)
	return &secrets{store: store, handshakes: make(chan struct{}, handshakes), recheck: recheck}, nil
}

func (g *gateway) warnOf(warnings []string) {
	for _, text := range warnings {
		g.log.Warn("certificate is not valid now", "reason", text)
	}
}

// watchCertificates reads them again when they change, until the gateway has
// drained. What cannot be used is told once and leaves the old ones in service.
func (g *gateway) watchCertificates() {
	ticker := time.NewTicker(g.secrets.recheck)
	defer ticker.Stop()
	for {
		select {
		case <-g.drained:
			return
		case <-ticker.C:
		}
		changed, warnings, err := g.secrets.store.Refresh()
		switch {
		case err != nil:
			g.log.Error("changed certificates cannot be used, the old ones stay", "error", err)
		case changed:
			g.log.Info("certificates were read again")
		}
		g.warnOf(warnings)
	}
}

// errPlainHTTP reports a client that did not begin a handshake.
var errPlainHTTP = errors.New("plain HTTP where TLS is spoken")

// liveTLS makes the handshake and then speaks what the client chose.
func (r *resident) liveTLS() {
	secure, err := r.handshake()
	if errors.Is(err, errPlainHTTP) {
		var date dateCache
		state := asked{minor: 1}
		r.gateway.identify(&state)
		r.gateway.note(err, answerTo(err), r.conn, &state, nil)
		_, _ = r.sock.Write(appendOwnResponse(nil, date.at(0), answerTo(err), state)) // as far as it goes
		r.sock.hangUp(r.gateway.draining.Load())
	}
	if err != nil {
		add(&r.gateway.figures.BadHandshakes, 1)
		r.gateway.log.Debug("handshake failed", "client", string(r.conn.client), "error", hclog.Quote(err.Error()))
		return
	}
	add(&r.gateway.figures.Handshakes, 1)
	state := secure.ConnectionState()
	r.conn.tls = tlsItems(&state)
	if state.NegotiatedProtocol == "h2" && state.Version >= tls.VersionTLS12 { // RFC 9113 section 9.2
		r.liveHTTP2(secure)
		return
	}
	r.liveHTTP1(&tlsTransport{Conn: secure})
}

// handshake makes it, within the client's patience from now on.
func (r *resident) handshake() (*tls.Conn, error) {
	begun := time.Now()
	_ = r.sock.SetDeadline(begun.Add(time.Duration(r.loop.limits.patience)))                           // sockets have deadlines
	r.whenDraining(func() { _ = r.sock.SetDeadline(time.Now().Add(time.Duration(firstRequestTime))) }) // as above
	first, err := r.sock.peek()
	if err != nil {
		return nil, fmt.Errorf("wait for the first bytes: %w", err)
	}
	if first[0] != recordHandshake && first[0] >= ' ' {
		return nil, errPlainHTTP
	}
	slots := r.gateway.secrets.handshakes
	wait := time.NewTimer(time.Duration(r.loop.limits.patience) - time.Since(begun))
	defer wait.Stop()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-wait.C:
		return nil, errors.New("too many handshakes are in progress")
	}
	secure := tls.Server(r.sock, r.gateway.secrets.store.Config())
	if err := secure.Handshake(); err != nil {
		return nil, err
	}
	r.whenDraining(nil)
	_ = r.sock.SetDeadline(time.Time{}) // as above
	return secure, nil
}

// recordHandshake is the first byte of a client that speaks TLS (RFC 8446
// section 5.1).
const recordHandshake = 22

// tlsTransport carries an exchange over TLS.
type tlsTransport struct {
	*tls.Conn
	buffer []byte
}

// recordSize is the most data of one record (RFC 8446 section 5.1).
const recordSize = 16 << 10

// writePieces joins small pieces: each Write is at least one record, and one
// call of the kernel.
func (t *tlsTransport) writePieces(pieces ...[]byte) error {
	joined := t.room()[:0]
	for _, p := range pieces {
		for len(p) > 0 {
			n := min(len(p), cap(joined)-len(joined))
			joined, p = append(joined, p[:n]...), p[n:]
			if len(joined) < cap(joined) {
				continue
			}
			if _, err := t.Write(joined); err != nil {
				return err
			}
			joined = joined[:0]
		}
	}
	if len(joined) == 0 {
		return nil
	}
	_, err := t.Write(joined)
	return err
}

// sendPart reads a piece of the file and sends it: what is encrypted here has to
// be brought here.
func (t *tlsTransport) sendPart(file *os.File, offset, length int64) (int, error) {
	room := t.room()
	n, err := file.ReadAt(room[:min(length, int64(len(room)))], offset)
	if n == 0 {
		if err != nil && length > 0 {
			return 0, fmt.Errorf("read the file to send: %w", err)
		}
		return 0, nil
	}
	return t.Write(room[:n])
}

func (t *tlsTransport) room() []byte {
	if t.buffer == nil {
		t.buffer = make([]byte, 4*recordSize)
	}
	return t.buffer
}

// rest gives memory back while nothing is to be sent.
func (t *tlsTransport) rest() { t.buffer = nil }
