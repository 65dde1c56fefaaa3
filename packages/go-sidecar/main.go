// Command mars-earth-sidecar predicts with many models at once, for clients on the same machine.
//
// It listens on a Unix socket that only its user can open, takes a token from the environment, and ends
// on SIGTERM, on SIGINT, or, with -with-parent, when its standard input closes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/edithatogo/mars/packages/go-sidecar/service"
)

const (
	tokenVariable = "MARS_EARTH_SIDECAR_TOKEN"
	shortestToken = 16
	grace         = 10 * time.Second
	// However short requests are told to be, a health check is answered.
	patience = 5 * time.Second
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mars-earth-sidecar:", err)
		os.Exit(1)
	}
}

func run() error {
	limits := service.Default
	socket := flag.String("socket", "", "path of the Unix socket to listen on")
	check := flag.Bool("check", false, "ask the service on that socket for its health, and end")
	withParent := flag.Bool("with-parent", false, "end when standard input closes")
	flag.Int64Var(&limits.BodyBytes, "body-bytes", limits.BodyBytes, "most bytes of a request")
	flag.IntVar(&limits.Models, "models", limits.Models, "most models of a request")
	flag.IntVar(&limits.Rows, "rows", limits.Rows, "most rows of a request")
	flag.IntVar(&limits.InFlight, "in-flight", limits.InFlight, "most requests at once")
	flag.DurationVar(&limits.Time, "time", limits.Time, "longest time for a request")
	flag.Parse()
	if *socket == "" {
		return errors.New("no -socket; name the path of the socket to listen on")
	}
	if *check {
		return health(*socket)
	}
	token := os.Getenv(tokenVariable)
	if len(token) < shortestToken {
		return fmt.Errorf("%s holds no token of %d characters or more", tokenVariable, shortestToken)
	}
	listener, err := listen(*socket)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           service.New(token, limits),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       max(limits.Time, patience),
		WriteTimeout:      2 * max(limits.Time, patience),
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    1 << 14,
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if *withParent {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// No new requests; those that are being worked on get time to end.
	late, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return server.Shutdown(late)
}

// listen opens the socket for this user alone; a socket that nobody answers is taken over.
func listen(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("%s is there and no socket", path)
		}
		if health(path) == nil {
			return nil, fmt.Errorf("a service answers on %s already", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	before := syscall.Umask(0o177)
	defer syscall.Umask(before)
	return net.Listen("unix", path)
}

func health(socket string) error {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	answer, err := client.Get("http://sidecar/healthz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the service answers %s", answer.Status)
	}
	return nil
}
