// Package settings knows every setting of Indrik once: its name, its flag, its
// type, its limits, its default and its sentence of help.
//
// # Who owns what
//
// The registry is one read-only table ([All]). Flags, the environment, the help
// text and docs/settings.md are made from it; nothing else in the tree repeats
// a default or a limit. Where Gunicorn has a setting of the same meaning, name,
// flag, type and default are Gunicorn's, and a Note says so where they are not.
//
// # From text to values
//
//	command line ────────┐
//	INDRIK_ variables ───┤
//	GUNICORN_CMD_ARGS ───┼─▶ Layer (texts by setting name) ─▶ Resolve ─▶ *Values
//	configuration file ──┤
//	platform variables ──┤
//	default ─────────────┘
//
// Each source becomes a [Layer] of texts, made by whoever may read that source:
// the caller in cmd/ parses flags and reads files ([FromTOML] is given their
// bytes), and [FromEnvironment] is handed a function that looks a variable up. [Resolve] puts the layers in the order of [Source],
// lets the strongest that mentions a setting win as a whole (lists replace,
// they never merge), and parses and checks what won.
//
// A further source is a constant in the order of [Source] and a function that
// makes a Layer; a further setting is a row of the table and a typed accessor.
//
// # What is promised
//
//   - [Values] never change once made and may be read by any goroutine.
//   - Every value knows which source it came from ([Values.Source]).
//   - A refused text is a [*ValueError] that names setting, text and remedy.
//
// # What is not
//
// The package reads no environment, no file and no clock, so a path or an
// address that is well formed here may still be refused by who opens it.
package settings
