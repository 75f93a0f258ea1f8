package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
)

// machine names where and with what results were made.
type machine struct {
	CPU, Kernel, FS, Go string
	Cores               int
	Memory              int64 // bytes
	Keys                uint64
	Runs                int
	Limit               string            // of a row
	Versions            map[string]string // of the engines, by module
}

// writeMachine notes the machine and the settings beside the results.
func writeMachine(c *comparison) error {
	m := machine{
		CPU: cpuName(), Kernel: kernel(), FS: fileSystem(c.storesIn()), Go: runtime.Version(),
		Cores: runtime.GOMAXPROCS(0), Keys: c.n, Runs: c.runs, Limit: c.limit.String(), Versions: peerVersions(),
	}
	kib, err := procField("/proc/meminfo", "MemTotal:")
	if err != nil {
		return err
	}
	m.Memory = kib << 10
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.out, machineFile), append(data, '\n'), 0o644)
}

func readMachine(out string) (machine, error) {
	var m machine
	data, err := os.ReadFile(filepath.Join(out, machineFile))
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(data, &m)
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d GiB, Linux %s, %s, %s", m.CPU, m.Cores, (m.Memory+1<<29)>>30, m.Kernel, m.FS, m.Go)
}

func cpuName() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range bytes.Lines(data) {
		if name, ok := bytes.CutPrefix(line, []byte("model name")); ok {
			return strings.TrimSpace(strings.TrimLeft(string(name), "\t :"))
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	data, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(data))
}

func fileSystem(dir string) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "unknown file system"
	}
	names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs", 0x794c7630: "overlayfs"}
	if name := names[int64(s.Type)]; name != "" {
		return name
	}
	return fmt.Sprintf("file system %#x", s.Type)
}

// peerVersions returns the versions of the engines' modules in this build.
func peerVersions() map[string]string {
	names := map[string]string{
		"github.com/cockroachdb/pebble/v2": "pebble",
		"github.com/dgraph-io/badger/v4":   "badger",
		"github.com/syndtr/goleveldb":      "goleveldb",
		"go.etcd.io/bbolt":                 "bbolt",
		"github.com/tidwall/buntdb":        "buntdb",
	}
	versions := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, d := range info.Deps {
		if name := names[d.Path]; name != "" {
			versions[name] = d.Version
		}
	}
	for name, version := range rocksVersions() {
		versions[name] = version
	}
	return versions
}
