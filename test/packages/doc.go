// Package packages tests what packaging/ makes, as those do who install it: the
// Debian package in a real systemd, the wheel in an empty virtual environment, the
// container's entry as PID 1, the RPM in a root of its own, and that two builds
// are the same.
//
// The packages must have been built: `make test-packages` does both. What is
// missing is skipped, with CI=true that is a failure.
package packages
