package master

import (
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/settings"
)

// everySetting is all settings for the eyes of hooks: those of time in
// milliseconds and apart, because the wire has no type for them.
func everySetting(s *settings.Values) (plain, milliseconds dispatch.Dict) {
	plain, milliseconds = dispatch.Dict{}, dispatch.Dict{}
	for _, name := range settings.Names() {
		switch v := s.Any(name).(type) {
		case time.Duration:
			milliseconds[name] = v.Milliseconds()
		case int:
			plain[name] = int64(v)
		case []string:
			list := dispatch.List{}
			for _, text := range v {
				list = append(list, text)
			}
			plain[name] = list
		case []settings.Pair:
			pairs := dispatch.Dict{}
			for _, pair := range v {
				pairs[pair.Name] = pair.Value
			}
			plain[name] = pairs
		case string:
			if v == "" {
				plain[name] = nil // Gunicorn's way to say that nothing was given
				continue
			}
			plain[name] = v
		default:
			plain[name] = v
		}
	}
	return plain, milliseconds
}

// options are the settings that only the Python side acts upon, by their names
// in the registry: times are milliseconds, lists are lists of str, and a umask
// that was not given is None. Pages with tracebacks are no setting, so that no
// configuration that finds its way to a service can turn them on.
func (m *master) options(s *settings.Values) dispatch.Dict {
	var umask any
	if s.Source("umask") != settings.Default {
		umask = int64(s.Umask())
	}
	return dispatch.Dict{
		"worker_class":          s.WorkerClass(),
		"scheduling":            s.Scheduling(),
		"threads":               int64(s.Threads()),
		"worker_connections":    int64(s.WorkerConnections()),
		"interface":             s.Interface(),
		"asgi_loop":             s.ASGILoop(),
		"asgi_lifespan":         s.ASGILifespan(),
		"disconnect_grace":      s.ASGIDisconnectGracePeriod().Milliseconds(),
		"spew":                  s.Spew(),
		"traceback_pages":       m.cfg.Development,
		"paste":                 s.Paste(),
		"paste_globals":         list(s.RawPasteGlobalConf()),
		"request_id_field":      requestIDField(s),
		"root_path":             s.RootPath(),
		"max_requests":          int64(s.MaxRequests()),
		"max_requests_jitter":   int64(s.MaxRequestsJitter()),
		"preload_app":           s.PreloadApp() && !s.Reload(), // a mold that has loaded it would fork the old code
		"reload":                s.Reload(),
		"reload_extra_files":    list(s.ReloadExtraFiles()),
		"user":                  s.User(),
		"group":                 s.Group(),
		"umask":                 umask,
		"initgroups":            s.Initgroups(),
		"graceful_timeout":      s.GracefulTimeout().Milliseconds(),
		"slow_request":          s.SlowRequest().Milliseconds(),
		"request_timeout":       s.RequestTimeout().Milliseconds(),
		"request_timeout_grace": s.RequestTimeoutGrace().Milliseconds(),
		"beat":                  beatFor(s.Timeout()).Milliseconds(),
	}
}

// requestIDField is the header field in which every request has an id; empty if
// they have none.
func requestIDField(s *settings.Values) string {
	if !s.RequestID() {
		return ""
	}
	return s.RequestIDHeader()
}

// list is texts as the wire has them.
func list(texts []string) dispatch.List {
	items := make(dispatch.List, 0, len(texts))
	for _, text := range texts {
		items = append(items, text)
	}
	return items
}
