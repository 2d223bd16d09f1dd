// Package testproc lets a test binary play other programs.
//
// A test that needs a process (a worker that hangs, a systemd that passes
// sockets) starts its own binary again under the name of a part. TestMain
// gives the parts to [Main]; tests use [Start]:
//
//	func TestMain(m *testing.M) {
//		testproc.Main(m, testproc.Parts{
//			"dies-first": func() int { return 3 },
//		})
//	}
//
// # What is promised
//
//   - A part, and what it starts with [Fork], is killed at the end of its test.
//   - If the test binary itself is killed, they kill themselves: each holds
//     the read end of a pipe, its life line, and ends when the other end closes.
//   - What parts wrote is shown if the test fails.
//   - A full run fails if there is a part that no test played.
package testproc
