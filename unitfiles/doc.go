// Package unitfiles makes units of systemd from the [unit] tables of
// /etc/indrik/*.toml.
//
//	NAME.toml ──Parse──▶ Instance ──Files──▶ drop-ins for indrik@NAME.socket,
//	                                         indrik@NAME.service, indrik.target
//
// The bodies of units stay in the templates that are installed (units/); what is
// made here are drop-ins that say what differs, and one in indrik.target that
// wants the instance to run. systemd has it made at each start and each
// daemon-reload, by the generator that cmd/indrik is under another name
// (systemd.generator(7)).
//
// # What is promised
//
//   - Functions of bytes: nothing is read, written or logged here.
//   - No text of a file can become a second line of a unit, or a specifier of it.
//   - A file without a [unit] table makes no units.
//
// # What is not
//
// The settings in the same file are none of this package's business, and not
// checked: the service that they belong to does that when it starts.
package unitfiles
