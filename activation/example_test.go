package activation_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/indrik/indrik/activation"
)

// A service that serves on the sockets of its unit, and on an address of its
// own when it is started by hand.
//
// net.FileListener works on a duplicate and sets it non-blocking, as it is
// already. What must not be done later is to call File on that listener and
// give the result to a child: its Fd method makes the shared socket blocking,
// here and in systemd. Pass the Socket's own descriptor instead.
func ExampleInherited() {
	ctx := context.Background()
	sockets, err := activation.Inherited(os.Getenv, os.Getpid())
	if err != nil {
		log.Fatal(err)
	}
	if len(sockets) == 0 {
		bind, err := activation.ParseBind("127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		s, err := activation.Listen(ctx, bind, activation.ListenOptions{})
		if err != nil {
			log.Fatal(err)
		}
		sockets = append(sockets, s)
	}

	first := sockets[0]
	file := os.NewFile(uintptr(first.FD), first.Name) // owns the descriptor from here on
	listener, err := net.FileListener(file)
	_ = file.Close() // the listener has its own
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello from "+first.Network)
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()

	reply, err := http.Get("http://" + first.Address)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	fmt.Println(string(body), err)
	// Output: hello from tcp <nil>
}

// Names of a unit's sockets tell them apart, whatever their order.
func ExampleDescriptors() {
	// What systemd sets for the process with the number 4711.
	variables := map[string]string{"LISTEN_PID": "4711", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:admin"}
	passed, err := activation.Descriptors(func(key string) string { return variables[key] }, 4711)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range passed {
		fmt.Println(d.FD, d.Name)
	}
	// Output:
	// 3 http
	// 4 admin
}

func ExampleParseBind() {
	for _, text := range []string{":80", "[::1]", "unix:/run/app.sock", "8000"} {
		bind, err := activation.ParseBind(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(bind.Network, bind)
	}
	// Output:
	// tcp 0.0.0.0:80
	// tcp [::1]:8000
	// unix unix:/run/app.sock
	// read address "8000": a port without a colon; write :8000 for every address, or 127.0.0.1:8000
}

// What a service tells systemd in its life. Started by hand, NOTIFY_SOCKET is
// not set, the notifier is nil, and the same calls do nothing.
func ExampleNotifier() {
	manager, address := listenAsManager()
	defer func() { _ = manager.Close() }()

	notifier, err := activation.NewNotifier(func(string) string { return address })
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = notifier.Close() }()

	_ = notifier.Status("loading") // best effort: a service runs on when nobody listens
	fmt.Printf("%q\n", receive(manager))
	_ = notifier.Ready("serving")
	fmt.Printf("%q\n", receive(manager))
	_ = notifier.Stopping("finishing 2 requests")
	fmt.Printf("%q\n", receive(manager))
	// Output:
	// "STATUS=loading"
	// "READY=1\nSTATUS=serving"
	// "STOPPING=1\nSTATUS=finishing 2 requests"
}

// A watchdog loop. It sends signs of life while the work is really getting done
// and not merely because a timer fired.
func ExampleWatchdogInterval() {
	manager, address := listenAsManager()
	defer func() { _ = manager.Close() }()
	variables := map[string]string{"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000"}
	env := func(key string) string { return variables[key] }

	notifier, err := activation.NewNotifier(env)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = notifier.Close() }()
	interval, err := activation.WatchdogInterval(env, os.Getpid())
	if err != nil {
		log.Fatal(err)
	}
	healthy := []bool{true, true, false} // of a real service: does its loop turn?

	if interval > 0 {
		ticker := time.NewTicker(interval / 3)
		defer ticker.Stop()
		for _, ok := range healthy {
			<-ticker.C
			if !ok {
				fmt.Println("no sign of life: systemd will restart the service")
				continue
			}
			_ = notifier.Watchdog()
			fmt.Println(receive(manager))
		}
	}
	// Output:
	// WATCHDOG=1
	// WATCHDOG=1
	// no sign of life: systemd will restart the service
}

// listenAsManager plays systemd for the examples.
func listenAsManager() (manager *net.UnixConn, address string) {
	address = "@" + filepath.Join("activation-example", fmt.Sprint(os.Getpid()))
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		log.Fatal(err)
	}
	return manager, address
}

func receive(manager *net.UnixConn) string {
	buf := make([]byte, activation.MaxNotification)
	n, err := manager.Read(buf)
	if err != nil {
		log.Fatal(err)
	}
	return string(buf[:n])
}
