// Package hosting puts an application under systemd, and takes it away again: what
// the commands indrik setup and indrik remove do.
//
//	Site ──Setup──▶ FILE, Reload, EnableUnitFiles, StartUnit
//	Site ──Remove─▶ DisableUnitFiles, FILE gone, Reload, StopUnit, ResetFailedUnit
//
// What the units are is said by the templates (units/) and by the [unit] table of the
// file, of which systemd's generator makes drop-ins (unitfiles); nothing but that one
// file is written here.
//
// # What is promised
//
//   - A setup that fails takes back what it did, in reverse, and a file that was there
//     before is there again. One that is killed in the middle can be called again with
//     Replace, or removed.
//   - No file is overwritten unasked, not even one that appears meanwhile.
//   - A removal that failed can be repeated; it takes what is left.
//
// # What is not
//
// The settings in the file are the caller's, who must have checked them. Nothing is
// read from the environment and nothing is logged: each step is told to the caller
// before it is done.
package hosting
