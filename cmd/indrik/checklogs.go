package main

import (
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/logsink"
	"github.com/indrik/indrik/settings"
	"github.com/indrik/indrik/statsd"
)

// checkLogs refuses formats and addresses that cannot be read, as it is done for
// any other option: the registry itself knows nothing of logs.
func checkLogs(values *settings.Values) error {
	if err := gateway.CheckAccessFormat(values.AccessLogFormat()); err != nil {
		return refused(values, "access_log_format", values.AccessLogFormat(), err)
	}
	if _, err := logsink.ParseSyslog(values.SyslogAddr()); err != nil {
		return refused(values, "syslog_addr", values.SyslogAddr(), err)
	}
	if values.StatsDHost() == "" {
		return nil
	}
	if _, err := statsd.Parse(values.StatsDHost()); err != nil {
		return refused(values, "statsd_host", values.StatsDHost(), err)
	}
	return nil
}

func refused(values *settings.Values, name, text string, err error) error {
	setting, _ := settings.ByName(name)
	return &settings.ValueError{
		Setting: setting, Source: values.Source(name), Origin: values.Origin(name), Text: text, Err: err,
	}
}
