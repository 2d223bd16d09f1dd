// Command indrik serves a Python application: the one binary of Indrik.
//
//	indrik [OPTIONS] MODULE[:APP]
//	indrik check FILE...
//	indrik migrate FILE
//	indrik setup NAME --app MODULE:APP
//	indrik remove NAME
//	indrik exec [OPTIONS] [--] PROGRAM [ARGUMENT...]
//
// # What is decided here and nowhere else
//
// This package alone touches what belongs to the process: arguments,
// environment, standard streams, signals, exit status. It reads them into
// values and hands those to the role it was started for:
//
//	indrik app:app       the master: supervises, never reads a client's byte
//	indrik gateway       the gateway: started by the master only, with its
//	                     channel as descriptor 3
//	indrik exec          the master of programs; it starts them by way of
//	indrik exec-worker   which becomes one
//	indrik unit-files    the generator of units: started by systemd
//	indrik status …      a client of a running service (control.go)
//
// # Exit status
//
//	0  it served and was stopped, or printed what it was asked for
//	1  it could not serve: configuration, addresses, a process it needs
//	2  it was called wrongly: an unknown option, a bad value, no application
//	3  the first worker could not boot
//	4  the application could not be loaded, or the program not executed
//
// 3 and 4 say that starting again without a change is of no use.
package main
