package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMountedGroupsAreFound(t *testing.T) {
	mountinfo := strings.Join([]string{
		`21 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw`,
		`30 25 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate`,
		`34 25 0:30 /docker/ab /sys/fs/cgroup/with\040space rw,nosuid shared:15 - cgroup cgroup rw,memory`,
		`35 25 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct`,
		`36 25 0:32 / /sys/fs/cgroup/none rw,nosuid - cgroup`,
		`37`, ``,
	}, "\n")
	got := hierarchies([]byte(mountinfo))
	want := []hierarchy{
		{version: 1, mount: "/sys/fs/cgroup/with space", root: "/docker/ab"},
		{version: 2, mount: "/sys/fs/cgroup/unified", root: "/"},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("found %+v, want %+v", got, want)
	}
}

func TestTheGroupOfAProcessIsFoundBelowWhatIsMounted(t *testing.T) {
	cgroup := []byte("9:name=systemd:/init\n4:cpu,memory:/docker/ab/mine\n0::/user:1/scope\nbroken\n")
	for _, c := range []struct {
		h    hierarchy
		want string // "": there is none
	}{
		{hierarchy{1, "/m", "/docker/ab"}, "/m/mine"},
		{hierarchy{1, "/m", "/"}, "/m/docker/ab/mine"},
		{hierarchy{1, "/m", "/docker/cd"}, ""},
		{hierarchy{2, "/m", "/"}, "/m/user:1/scope"},
		{hierarchy{2, "/m", "/user:1/scope"}, "/m"},
		{hierarchy{2, "/m", "/user:1/scope/below"}, ""},
	} {
		got, err := c.h.directory(cgroup)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q, %v; want %q", c.h, got, err, c.want)
		}
	}
	if dir, err := (hierarchy{2, "/m", "/"}).directory(nil); err == nil {
		t.Errorf("in no group: %q", dir)
	}
}

// groupFiles makes a directory with files as the kernel would.
func groupFiles(t *testing.T, files map[string]string) *group {
	t.Helper()
	g := &group{dir: t.TempDir(), leave: func() error { return nil }}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func TestWhatAGroupHoldsIsReadOfEitherVersion(t *testing.T) {
	want := held{Limit: 67108864, Peak: 67100000, Process: 20480, PageCache: 4096}
	for name, files := range map[string]map[string]string{
		"version 2": {"memory.max": "67108864\n", "memory.peak": "67100000\n", "memory.stat": "anon 20480\nfile 4096\nkernel 7\n"},
		"version 2, old": {
			"memory.max": "67108864\n", "memory.current": "67100000\n", "memory.stat": "anon 20480\nfile 4096\n",
		},
		"version 1": {
			"memory.limit_in_bytes": "67108864\n", "memory.max_usage_in_bytes": "67100000\n",
			"memory.stat": "cache 1\nrss 2\ntotal_cache 4096\ntotal_rss 20480\n",
		},
	} {
		g := groupFiles(t, files)
		if got, err := g.holds(); err != nil || *got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestAGroupThatDoesNotBoundIsNoticed(t *testing.T) {
	stat := "anon 1\nfile 1\n"
	for name, files := range map[string]map[string]string{
		"more than it may": {"memory.max": "1000\n", "memory.peak": "2000\n", "memory.stat": stat},
		"no number":        {"memory.max": "1000\n", "memory.peak": "x\n", "memory.stat": stat},
		"nothing":          {},
		"no page cache":    {"memory.max": "1000\n", "memory.peak": "10\n", "memory.stat": "anon 1\n"},
	} {
		if got, err := groupFiles(t, files).holds(); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	unlimited := groupFiles(t, map[string]string{"memory.max": "max\n", "memory.peak": "10\n", "memory.stat": stat})
	if got, err := unlimited.held(); err != nil || got.Limit != 1<<63-1 {
		t.Errorf("no limit: %+v, %v", got, err)
	}
}

func TestAGroupWithoutTheControllerIsNotUsed(t *testing.T) {
	g := groupFiles(t, map[string]string{"cgroup.controllers": "cpu io\n", "cgroup.subtree_control": "\n"})
	if _, err := (hierarchy{version: 2}).prepare(g.dir); err == nil {
		t.Error("it was")
	}
	g = groupFiles(t, map[string]string{"cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "\n"})
	undo, err := (hierarchy{version: 2}).prepare(g.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+memory", "-memory"} {
		if got, err := os.ReadFile(filepath.Join(g.dir, "cgroup.subtree_control")); strings.TrimSpace(string(got)) != want {
			t.Errorf("the controller is handed on as %q, %v; want %q", got, err, want)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
}
