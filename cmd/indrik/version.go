package main

// What a build knows of itself. They are variables only so that packaging/build
// can set them with -ldflags "-X main.version=…"; nothing writes them at run time.
var (
	version = "0.1.0"
	commit  string // of the sources, abbreviated, with a "+" after it if they had been changed; "" if unknown
	date    string // of that commit in UTC, as 2006-01-02; "" if unknown
)

// versionText is what --version prints after the name.
func versionText() string {
	text := version
	if commit != "" {
		text += " (" + commit
		if date != "" {
			text += ", " + date
		}
		text += ")"
	}
	return text
}
