package e2e

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"testing"
)

// reloadFault is one thing that may go wrong in a step of a reload, and the test that
// makes it go wrong.
type reloadFault struct {
	step  string // as master/step.go draws them; "execve" is between quieting and reading
	fault string
	after string // what serves then
	test  string
}

// faultsOfReloads is every step of a reload, and every fault that was thought of in it.
// Whatever happens, something serves afterwards and the next reload works.
func faultsOfReloads() []reloadFault {
	const old, next, restarted = "the old generation", "the new generation", "a new service, whose clients waited in its socket"
	return []reloadFault{
		{"checking", "the binary is no program, fails, is killed, or says nothing", old, "TestBinaryIsReplaced"},
		{"checking", "it cannot read the state", old, "TestBinaryIsReplaced"},
		{"checking", "the preflight is killed", old, "TestKillsAroundAnExec"},
		{"checking", "mold, gateway or worker is killed", next, "TestKillsAroundAnExec"},
		{"checking", "a stop", "nobody", "TestStopDuringAPreflight"},
		{"checking", "there are no descriptors", old, "TestReloadsWithoutDescriptors"},
		{"quieting", "there are no descriptors", old, "TestReloadsWithoutDescriptors"},
		{"execve", "the kernel refuses it, or the new image ends before it looks at the state", old, "TestBinaryIsReplaced"},
		{"execve", "the new image cannot take the state over", old, "TestRestoreThatFailsLeavesEverything"},
		{"execve", "the new image crashes before it has taken the state over", restarted, "TestNewImageThatCrashes"},
		{"execve", "… while it does", "nobody: without systemd nothing is left behind", "TestKillsAroundAnExec"},
		{"execve", "… after it", restarted, "TestNewImageThatCrashes"},
		{"execve", "mold, gateway or worker is killed while there is no master", next, "TestKillsAroundAnExec"},
		{"execve", "signals while there is no master", next, "TestSignalsDuringAnExec"},
		{"execve", "the disk is full", next, "TestReloadsWithAFullDisk"},
		{"reading", "the configuration is wrong, or the mold that runs it fails", old, "TestReloadRunsTheConfigurationFile"},
		{"reading", "an address is taken", old, "TestReloadThatCannotBind"},
		{"reading", "the disk is full", next, "TestReloadsWithAFullDisk"},
		{"reading", "there are no descriptors", old, "TestReloadsWithoutDescriptors"},
		{"raising", "the application cannot be imported, or the import kills its process", old, "TestReloadsThatFail"},
		{"raising", "the import hangs", old, "TestReloadsThatFail"},
		{"raising", "the new worker is killed", old, "TestKillsDuringAReload"},
		{"raising", "mold, gateway or old worker is killed", next, "TestKillsDuringAReload"},
		{"raising", "a stop, or another reload", next, "TestSignalsDuringAReload"},
		{"raising", "there are no descriptors", old, "TestReloadsWithoutDescriptors"},
		{"moving", "the new gateway cannot start", old, "TestReloadsWithoutDescriptors"},
		{"leaving", "the gateway before obeys no more", next, "TestAReloadIsOverWhenOnlyOneGatewayAccepts"},
		{"leaving", "the gateway before is killed while it hands over", next, "TestAGatewayKilledWhileHandingOver"},
		{"leaving", "the new gateway is killed while it is handed to", next, "TestAGatewayKilledWhileHandingOver"},
		{"leaving", "the new gateway takes nothing, is gone, or does not answer", next, "TestASuccessorThatTakesNothing"},
		{"leaving", "what is kept is killed", next, "TestDeathsOfWhatIsKept"},
	}
}

// Every fault of the table has its test, and every step its faults.
func TestEveryFaultOfAReloadHasATest(t *testing.T) {
	known := map[string]bool{}
	for _, dir := range []string{".", "../lab", "../../master", "../../gateway"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no tests in %s (%v)", dir, err)
		}
		for _, path := range paths {
			file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					known[f.Name.Name] = true
				}
			}
		}
	}
	steps := []string{"checking", "quieting", "execve", "reading", "raising", "moving", "leaving"}
	for _, f := range faultsOfReloads() {
		if !known[f.test] {
			t.Errorf("%s, %s: there is no test %s", f.step, f.fault, f.test)
		}
		if !slices.Contains(steps, f.step) {
			t.Errorf("%s is no step of a reload", f.step)
		}
	}
	for _, step := range steps {
		if !slices.ContainsFunc(faultsOfReloads(), func(f reloadFault) bool { return f.step == step }) {
			t.Errorf("nothing goes wrong in the step %s", step)
		}
	}
}
