package settings

// LogLevel returns "debug", "info", "warning", "error" or "critical".
func (v *Values) LogLevel() string { return of[string](v, "loglevel") }

// ErrorLog returns the path of the error log, or "-" for standard error.
func (v *Values) ErrorLog() string { return of[string](v, "errorlog") }

// CaptureOutput sends the application's output to the error log.
func (v *Values) CaptureOutput() bool { return of[bool](v, "capture_output") }

// AccessLog returns the path of the access log, "-" for standard output,
// "journal" for systemd's journal, or "" for none.
func (v *Values) AccessLog() string { return of[string](v, "accesslog") }

// AccessLogFormat returns a name or a text of atoms; package accesslog reads it.
func (v *Values) AccessLogFormat() string { return of[string](v, "access_log_format") }

// AccessLogBuffer bounds the lines that wait to be written, in bytes.
func (v *Values) AccessLogBuffer() int { return of[int](v, "access_log_buffer") }

// DisableRedirectAccessToSyslog keeps access lines out of syslog.
func (v *Values) DisableRedirectAccessToSyslog() bool {
	return of[bool](v, "disable_redirect_access_to_syslog")
}

// Syslog sends logs to syslog too.
func (v *Values) Syslog() bool { return of[bool](v, "syslog") }

// SyslogAddr returns where syslog is; package logsink reads it.
func (v *Values) SyslogAddr() string { return of[string](v, "syslog_addr") }

// SyslogPrefix returns the middle of the program's name in syslog, or "".
func (v *Values) SyslogPrefix() string { return of[string](v, "syslog_prefix") }

// SyslogFacility returns a name that package logsink knows.
func (v *Values) SyslogFacility() string { return of[string](v, "syslog_facility") }

// LoggerClass returns the dotted name of a Python class.
func (v *Values) LoggerClass() string { return of[string](v, "logger_class") }

// LogConfig returns the path of an ini file for Python's logging, or "".
func (v *Values) LogConfig() string { return of[string](v, "logconfig") }

// LogConfigJSON returns the path of a JSON file for Python's logging, or "".
func (v *Values) LogConfigJSON() string { return of[string](v, "logconfig_json") }

// StatsDHost returns where StatsD is, or ""; package statsd reads it.
func (v *Values) StatsDHost() string { return of[string](v, "statsd_host") }

// StatsDPrefix returns what is put before the names of numbers.
func (v *Values) StatsDPrefix() string { return of[string](v, "statsd_prefix") }

// DogStatsDTags returns tags for all numbers, or "".
func (v *Values) DogStatsDTags() string { return of[string](v, "dogstatsd_tags") }

// EnableBacklogMetric sends the length of the accept queues.
func (v *Values) EnableBacklogMetric() bool { return of[bool](v, "enable_backlog_metric") }
