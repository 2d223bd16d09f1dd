package settings

import (
	"errors"
	"slices"
	"strings"
)

// pasteSettings are about applications that PasteDeploy puts together.
var pasteSettings = []Setting{
	{
		Name: "paste", Flag: "paste", Also: []string{"paster"}, Metavar: "FILE", Group: Application, Kind: String,
		DefaultHelp: "none",
		Help:        "Serve the application of this PasteDeploy file; FILE#NAME for one of several",
		Note:        "The package PasteDeploy must be installed beside the application. The path is relative to `chdir`. Server sections of the file are not read, as in Gunicorn.",
		Since:       "0.1.0",
	},
	{
		Name: "raw_paste_global_conf", Flag: "paste-global", Metavar: "NAME=VALUE", Group: Application, Kind: List,
		check: checkPasteGlobal,
		Help:  "Set a global variable of the PasteDeploy file; may be repeated",
		Note:  "An equals sign in the name is written `\\=`.",
		Since: "0.1.0",
	},
}

// checkPasteGlobal wants an equals sign that is not escaped.
func checkPasteGlobal(text string) error {
	if plain := strings.ReplaceAll(text, `\=`, ""); !strings.Contains(plain, "=") {
		return errors.New("not NAME=VALUE; write it like debug=false")
	}
	return nil
}

// Paste returns the PasteDeploy file whose application is served, perhaps with
// #NAME, or "".
func (v *Values) Paste() string { return of[string](v, "paste") }

// RawPasteGlobalConf returns variables of the file as NAME=VALUE.
func (v *Values) RawPasteGlobalConf() []string {
	return slices.Clone(of[[]string](v, "raw_paste_global_conf"))
}
