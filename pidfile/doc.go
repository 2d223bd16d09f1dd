// Package pidfile writes the file of --pid, which tells others the number of a
// service's master.
package pidfile
