package settings

import (
	"fmt"
	"strings"
)

// gunicornSection is a chapter of Gunicorn's documentation of its settings.
type gunicornSection struct {
	name     string
	settings []string
}

// gunicornSections are all settings of Gunicorn 27 but the hooks, in its order.
func gunicornSections() []gunicornSection {
	return []gunicornSection{
		{"Config File", []string{"config", "wsgi_app"}},
		{"Server Socket", []string{"bind", "backlog"}},
		{"Worker Processes", []string{"workers", "worker_class", "threads", "worker_connections", "max_requests", "max_requests_jitter", "timeout", "graceful_timeout", "keepalive", "asgi_loop", "asgi_lifespan", "asgi_disconnect_grace_period", "websocket_max_message_size", "http_parser"}},
		{"Security", []string{"limit_request_line", "limit_request_fields", "limit_request_field_size"}},
		{"Debugging", []string{"reload", "reload_engine", "reload_extra_files", "spew", "check_config", "print_config"}},
		{"Server Mechanics", []string{"preload_app", "sendfile", "reuse_port", "chdir", "daemon", "raw_env", "pidfile", "worker_tmp_dir", "user", "group", "umask", "initgroups", "tmp_upload_dir", "secure_scheme_headers", "forwarded_allow_ips", "pythonpath", "paste", "proxy_protocol", "proxy_allow_ips", "protocol", "uwsgi_allow_ips", "raw_paste_global_conf", "permit_obsolete_folding", "strip_header_spaces", "permit_unconventional_http_method", "permit_unconventional_http_version", "casefold_http_method", "forwarder_headers", "header_map", "root_path"}},
		{"Logging", []string{"accesslog", "disable_redirect_access_to_syslog", "access_log_format", "errorlog", "loglevel", "capture_output", "logger_class", "logconfig", "logconfig_dict", "logconfig_json", "syslog_addr", "syslog", "syslog_prefix", "syslog_facility", "enable_stdio_inheritance", "statsd_host", "dogstatsd_tags", "statsd_prefix", "enable_backlog_metric"}},
		{"Process Naming", []string{"proc_name", "default_proc_name"}},
		{"SSL", []string{"keyfile", "certfile", "ssl_version", "cert_reqs", "ca_certs", "suppress_ragged_eofs", "do_handshake_on_connect", "ciphers"}},
		{"HTTP/2", []string{"http_protocols", "http2_cleartext", "http2_max_concurrent_streams", "http2_initial_window_size", "http2_max_frame_size", "http2_max_header_list_size"}},
		{"Dirty Arbiters", []string{"dirty_apps", "dirty_workers", "dirty_timeout", "dirty_threads", "dirty_graceful_timeout"}},
		{"Control", []string{"control_socket", "control_socket_mode", "control_socket_disable"}},
	}
}

// ForGunicorn renders docs/gunicorn-settings.md: every setting of Gunicorn, and what
// becomes of it here. A test compares it with the committed file.
func ForGunicorn() string {
	var b strings.Builder
	b.WriteString(`# Gunicorn's settings, one by one

<!-- Made from settings/ by: make docs -->

What each setting of Gunicorn 27 does here. "The same" is meant literally: name, option, values and default; "works" is followed by what one may want to know. Hooks are in
[gunicorn.md](gunicorn.md), Indrik's own settings in [settings.md](settings.md).
`)
	for _, section := range gunicornSections() {
		fmt.Fprintf(&b, "\n## %s\n\n| setting | here |\n|---|---|\n", section.name)
		for _, name := range section.settings {
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, fate(name))
		}
	}
	return b.String()
}

// fate says what becomes of one of Gunicorn's settings.
func fate(name string) string {
	s, here := ByName(name)
	switch {
	case !here:
		return "not in this version"
	case s.Instead != "":
		return "no effect, and a warning that says so: " + s.Instead
	case s.Note != "":
		return "works. " + s.Note
	}
	return "the same"
}
