// Replicated is three processes with one store among them, and an HTTP front on each. In
// the folder raftstore:
//
//	go run ./examples/replicated cluster     starts them on loopback, until it is interrupted
//	go run ./examples/replicated failover    starts them, kills the leader under load, and counts
//	go run ./examples/replicated node …      is one of them
//
// With a cluster running:
//
//	curl -X POST 'localhost:8101/put?key=k&value=v'
//	curl 'localhost:8102/get?key=k'
//	curl -X POST 'localhost:8103/append?list=l&item=x'
//	curl 'localhost:8101/list?name=l'
//	curl 'localhost:8101/metrics'
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("what is to be done? cluster, failover or node")
	}
	f := flag.NewFlagSet(args[0], flag.ExitOnError)
	dir := f.String("dir", "", "where the stores are; empty: a temporary directory, removed at the end")
	size := f.Int("nodes", 3, "how many processes there are")
	base := f.Int("port", 8101, "the first port of HTTP; raft's are 1000 below")
	switch args[0] {
	case "node":
		index := f.Int("index", 0, "which of them this is")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		return serve(*dir, *size, *base, *index)
	case "cluster":
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		return withCluster(*dir, *size, *base, func(c *processes) error {
			for i := range *size {
				fmt.Printf("node %d: http://%s\n", i, c.http(i))
			}
			stop := make(chan os.Signal, 1)
			signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
			<-stop
			return nil
		})
	case "failover":
		clients := f.Int("clients", 16, "how many clients append at a time")
		length := f.Duration("for", 6*time.Second, "how long they do; the leader is killed after a third, and started after two")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		return withCluster(*dir, *size, *base, func(c *processes) error { return failover(c, *clients, *length) })
	}
	return fmt.Errorf("there is no command %q: cluster, failover or node", args[0])
}

// withCluster runs fn beside a cluster, in a temporary directory if dir is empty.
func withCluster(dir string, size, base int, fn func(*processes) error) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "replicated-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	c := &processes{dir: dir, size: size, base: base, running: make([]*process, size)}
	defer c.stop()
	for i := range size {
		if err := c.start(i); err != nil {
			return err
		}
	}
	if _, err := c.leader(30 * time.Second); err != nil {
		return err
	}
	return fn(c)
}
