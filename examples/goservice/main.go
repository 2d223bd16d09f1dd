package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/indrik/indrik/activation"
)

// version is what the service answers; the linker sets it.
var version = "development"

func main() {
	log.SetFlags(0) // the journal has a clock
	if os.Getenv(workerEnv) != "" {
		if err := work(); err != nil {
			log.Fatalf("worker: %v", err)
		}
		return
	}
	workers := flag.Int("workers", 2, "number of worker processes")
	listen := flag.String("listen", "127.0.0.1:8000", "address, if systemd passes no socket")
	flag.Parse()
	if err := serve(*workers, *listen); err != nil {
		log.Fatal(err)
	}
}

// serve is the whole life of the master.
func serve(workers int, listen string) error {
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()

	sockets, err := open(stop, listen)
	if err != nil {
		return err
	}
	// A nil notifier, when nobody supervises us, does nothing and returns nil.
	notifier, err := activation.NewNotifier(os.Getenv)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	m := &master{exe: exe, workers: workers, sockets: sockets, notifier: notifier, changes: make(chan change, 64)}
	return m.run(stop, hangUp)
}

// open takes the sockets that systemd passed, or binds one.
func open(ctx context.Context, address string) ([]activation.Socket, error) {
	sockets, err := activation.Inherited(os.Getenv, os.Getpid())
	if err != nil || len(sockets) > 0 {
		return sockets, err
	}
	bind, err := activation.ParseBind(address)
	if err != nil {
		return nil, err
	}
	socket, err := activation.Listen(ctx, bind, activation.ListenOptions{})
	if err != nil {
		return nil, err
	}
	log.Printf("listening on %s", socket.Address)
	return []activation.Socket{socket}, nil
}
