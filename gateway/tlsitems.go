package gateway

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
)

// tlsItems are the variables of the environ that say how a connection is
// secured. Gunicorn has none of them; names and values are those of Apache's mod_ssl,
// which Python programs have learnt to read. Without a certificate of the
// client's there is no SSL_CLIENT_ variable but SSL_CLIENT_VERIFY.
func tlsItems(state *tls.ConnectionState) []byte {
	b := appendPair([]byte(nil), "HTTPS", "on")
	b = appendPair(b, "SSL_PROTOCOL", protocolName(state.Version))
	b = appendPair(b, "SSL_CIPHER", tls.CipherSuiteName(state.CipherSuite))
	if state.ServerName != "" {
		b = appendPair(b, "SSL_TLS_SNI", state.ServerName)
	}
	if len(state.PeerCertificates) == 0 {
		return appendPair(b, "SSL_CLIENT_VERIFY", "NONE")
	}
	c := state.PeerCertificates[0] // it was verified, or there would be no connection
	b = appendPair(b, "SSL_CLIENT_VERIFY", "SUCCESS")
	b = appendPair(b, "SSL_CLIENT_S_DN", c.Subject.String())
	b = appendPair(b, "SSL_CLIENT_I_DN", c.Issuer.String())
	b = appendPair(b, "SSL_CLIENT_S_DN_CN", c.Subject.CommonName)
	b = appendPair(b, "SSL_CLIENT_M_SERIAL", fmt.Sprintf("%X", c.SerialNumber))
	b = appendPair(b, "SSL_CLIENT_V_END", c.NotAfter.UTC().Format("Jan _2 15:04:05 2006 GMT"))
	return appendPair(b, "SSL_CLIENT_CERT", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func protocolName(version uint16) string {
	switch version {
	case tls.VersionTLS10:
		return "TLSv1"
	case tls.VersionTLS11:
		return "TLSv1.1"
	case tls.VersionTLS12:
		return "TLSv1.2"
	}
	return "TLSv1.3"
}
