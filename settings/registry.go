package settings

import "slices"

// maxSeconds bounds every length of time: about 31 years, far from the
// overflow of time.Duration (292 years) also after additions.
const maxSeconds = 1_000_000_000

// registry is the one table, in the order in which docs and help show it. Each
// group has a file of its own. It is never written after the program started.
var registry = slices.Concat(
	socketSettings,
	workerSettings, scaleSettings, deadlineSettings,
	programSettings,
	gatewaySettings,
	webSocketSettings,
	proxySettings,
	parserSettings,
	requestSettings,
	tlsSettings, http2Settings,
	staticSettings,
	applicationSettings,
	serviceSettings,
	loggingSettings,
	pasteSettings,
	idleSettings,
)
