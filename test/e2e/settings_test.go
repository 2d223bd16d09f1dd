package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/indrik/indrik/settings"
)

// A proof shows what a setting does, not that it is accepted.
type proof struct {
	setting string
	prove   func(t *testing.T) // nil: another test has it
	file    string             // of that test, from the root
	test    string             // its name
}

// TestEverySettingHasAnEffect goes through the registry: every setting must have a
// proof, and those without effect must be told of.
func TestEverySettingHasAnEffect(t *testing.T) {
	t.Parallel()
	proofs := append(append(elsewhere(), effects()...), ofPrograms()...)
	for _, w := range wires() {
		proofs = append(proofs, proof{setting: w.setting, prove: w.prove})
	}
	for _, s := range settings.All() {
		if s.Instead != "" {
			proofs = append(proofs, proof{setting: s.Name, prove: func(t *testing.T) { proveIdle(t, s) }})
		}
	}
	for _, s := range settings.All() {
		of := slices.DeleteFunc(slices.Clone(proofs), func(p proof) bool { return p.setting != s.Name })
		if len(of) == 0 {
			t.Errorf("setting %s has no proof of its effect; add one to settings_wire_test.go, settings_effects_test.go, settings_speech_test.go or elsewhere()", s.Name)
		}
		for _, p := range of {
			t.Run(s.Name, func(t *testing.T) {
				if p.prove == nil {
					p.find(t, s)
					return
				}
				t.Parallel()
				p.prove(t)
			})
		}
	}
	for _, p := range proofs {
		if _, known := settings.ByName(p.setting); !known {
			t.Errorf("a proof of %s, which is no setting", p.setting)
		}
	}
}

// find wants the test that the proof names, and in its file the setting or its
// option.
func (p proof) find(t *testing.T, s settings.Setting) {
	text, err := os.ReadFile(filepath.Join(world.root, p.file))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^(func|def) ` + p.test + `\(`).Match(text) {
		t.Errorf("%s has no %s", p.file, p.test)
	}
	names := []string{s.Name, "--" + s.Flag}
	if s.Short != "" {
		names = append(names, `"-`+s.Short+`"`)
	}
	if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(string(text), name) }) {
		t.Errorf("%s does not mention %s", p.file, s.Name)
	}
}

// elsewhere are the settings whose effect other tests show.
func elsewhere() (proofs []proof) {
	for _, line := range slices.Concat(deadlineProofs(), []string{
		"bind test/e2e/options_test.go TestSeveralBinds",
		"admin_bind test/e2e/metrics_test.go TestMetricsAreTheTruth",
		"workers test/e2e/options_test.go TestTheWorkersAreAsManyAsWanted",
		"min_workers test/e2e/scale_test.go TestWorkersFollowTheLoad",
		"max_workers test/e2e/scale_test.go TestWorkersFollowTheLoad",
		"scale_up_wait test/e2e/scale_test.go TestWorkersFollowTheLoad",
		"scale_down_idle test/e2e/scale_test.go TestWorkersFollowTheLoad",
		"scale_up_pressure test/e2e/scale_test.go TestNoWorkersAreAddedToBusyProcessors",
		"worker_memory_high test/lab/groups_test.go TestEachWorkerHasAControlGroup",
		"control_groups test/lab/user_test.go TestUnitsForUsers",
		"idle_exit test/e2e/idle_test.go TestAnIdleServiceExits",
		"worker_class test/e2e/classes_test.go TestTenThousandRequestsAndRandomKills",
		"threads test/e2e/classes_test.go TestASlowThreadIsLeftAlone",
		"max_requests test/e2e/classes_test.go TestWorkersAreReplacedAfterSoManyRequests",
		"max_requests_jitter python/tests/test_classes.py test_jitter_spreads_the_ends",
		"timeout test/e2e/death_test.go TestAStuckWorkerIsKilled",
		"graceful_timeout test/e2e/stop_test.go TestAStopThatTakesTooLong",
		"shutdown_delay test/e2e/stop_test.go TestAStopThatIsDelayed",
		"boot_timeout test/e2e/reload_faults_test.go TestReloadsThatFail",
		"keep_previous test/e2e/rollback_test.go TestWhatIsKeptGoes",
		"reload test/e2e/wsgi_test.go TestReloadShowsWhatWasSaved",
		"initgroups python/tests/test_privileges.py test_initgroups_takes_the_users_groups_and_no_others",
		"request_buffering test/e2e/arriving_test.go TestBodiesThatArrive",
		"sendfile test/e2e/mechanics_test.go TestFilesWithoutSendfile",
		"spew test/e2e/mechanics_test.go TestSpew",
		"http2_cleartext test/e2e/tls_test.go TestCurlWithPriorKnowledge",
		"certfile test/e2e/tls_test.go TestClientsOverTLS",
		"keyfile test/e2e/tls_test.go TestClientsOverTLS",
		"ca_certs test/e2e/tls_test.go TestBadCertificatesEndTheStart",
		"cert_reqs test/e2e/tls_test.go TestBadCertificatesEndTheStart",
		"plain_listeners test/e2e/tls_test.go TestCredentialsAndPlainListeners",
		"static test/e2e/static_test.go TestFilesAreServedWithoutAWorker",
		"chdir test/e2e/options_test.go TestChdirAndPythonpath",
		"pythonpath test/e2e/options_test.go TestChdirAndPythonpath",
		"raw_env test/e2e/options_test.go TestTheApplicationsEnvironment",
		"python test/e2e/options_test.go TestThePythonIsTheOneNamed",
		"wsgi_app test/e2e/check_test.go TestCheckConfig",
		"config test/e2e/script_test.go TestHooks",
		"check_config test/e2e/check_test.go TestCheckConfig",
		"print_config test/e2e/check_test.go TestPrintConfigLoadsTheApplicationToo",
		"loglevel test/e2e/options_test.go TestTheLogLevel",
		"accesslog test/e2e/options_test.go TestTheAccessLog",
		"errorlog test/e2e/logs_test.go TestLogsAreRotatedUnderLoad",
		"capture_output test/e2e/logs_test.go TestOutputIsCaptured",
		"access_log_format test/e2e/logs_test.go TestLogsAreRotatedUnderLoad",
		"access_log_buffer test/e2e/logs_test.go TestAnAccessLogThatNobodyReads",
		"disable_redirect_access_to_syslog test/e2e/logs_test.go TestSyslogGetsBothLogs",
		"syslog test/e2e/logs_test.go TestSyslogGetsBothLogs",
		"syslog_addr test/e2e/logs_test.go TestSyslogGetsBothLogs",
		"syslog_prefix test/e2e/logs_test.go TestSyslogGetsBothLogs",
		"syslog_facility test/e2e/logs_test.go TestSyslogGetsBothLogs",
		"logger_class test/e2e/logs_test.go TestLogConfigs",
		"logconfig test/e2e/logs_test.go TestLogConfigs",
		"logconfig_json test/e2e/logs_test.go TestLogConfigs",
		"statsd_host test/e2e/logs_test.go TestStatsDGetsGunicornsNumbers",
		"statsd_prefix test/e2e/logs_test.go TestStatsDGetsGunicornsNumbers",
		"dogstatsd_tags test/e2e/logs_test.go TestStatsDGetsGunicornsNumbers",
		"enable_backlog_metric test/e2e/logs_test.go TestStatsDGetsGunicornsNumbers",
		"pidfile test/e2e/options_test.go TestThePIDFile",
		"asgi_loop test/e2e/asgi_test.go TestStarlette",
		"control_socket test/e2e/control_test.go TestStatusTellsTheTruth",
		"control_socket_mode test/e2e/control_test.go TestControlSocketRefuses",
	}) {
		words := strings.Fields(line)
		proofs = append(proofs, proof{setting: words[0], file: words[1], test: words[2]})
	}
	return proofs
}

// proveIdle shows that who sets a setting without effect is told what to use
// instead, once, and that the service runs.
func proveIdle(t *testing.T, s settings.Setting) {
	value := map[settings.Kind]string{
		settings.Int: "1", settings.Seconds: "1", settings.String: "x", settings.List: "x:Y", settings.Bool: "true",
	}[s.Kind]
	if s.Kind == settings.Choice {
		value = s.Choices[len(s.Choices)-1]
	}
	if value == s.Default {
		value = map[string]string{"true": "false", "1": "2"}[value]
	}
	l := launch{app: "plain", args: []string{"--" + s.Flag + "=" + value}}
	v := serve(t, l)
	v.allow("setting has no effect")
	v.wants("/", 200, "hello")
	v.stderr.await(t, 1, "[WARN]", "setting has no effect", "setting="+s.Name)
	v.stop()
}
