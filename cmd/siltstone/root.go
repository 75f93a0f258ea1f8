package main

import (
	"io"

	"github.com/spf13/cobra"
)

// tool is what all commands share: the flags that every one has, and where it reads and
// writes.
type tool struct {
	json     bool
	format   byteFormat
	memory   sizeFlag
	keyspace string // of commands that have the flag
	hexKeys  bool   // likewise

	in      io.Reader
	out     *output
	err     io.Writer
	started bool // the command line was understood
	beside  bool // the store that is read is open beside its writer
}

func newTool(in io.Reader, out, err io.Writer) *tool {
	return &tool{format: formatQuoted, memory: sizeFlag{64 << 20}, in: in, out: newOutput(out), err: err}
}

// The groups of commands in the help.
const (
	groupLook  = "look"
	groupWrite = "write"
	groupCare  = "care"
	groupMove  = "move"
	groupInner = "inner"
)

// leastMemory is the least memory limit that a store takes.
const leastMemory = 8 << 20

// root returns the command tree.
func (t *tool) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "siltstone",
		Short: "Look into Siltstone stores, move data in and out, and look after them",
		Long: `Look into Siltstone stores, move data in and out, and look after them.

The first argument of a command is the directory of the store. Stores are
opened for reading; only put, del, expire, load, import, follow and serve
--write write to one.

A key is given as it is, or as a Go string literal in double quotes, which is
how keys with spaces or control bytes are shown, or with --hex in hexadecimal.`,
		Example: `  siltstone info /var/lib/app/store
  siltstone scan /var/lib/app/store --prefix user: --limit 10`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			t.started, t.out.ctx = true, cmd.Context()
			if t.memory.bytes < leastMemory {
				return usagef("--memory %v: a store needs at least %s", &t.memory, size(leastMemory))
			}
			return nil
		},
		SuggestionsMinimumDistance: 2,
	}
	root.SetOut(t.out)
	root.SetErr(t.err)
	flags := root.PersistentFlags()
	flags.BoolVar(&t.json, "json", false, "write JSON, one object a line")
	flags.Var(&t.format, "format", "how keys and values are shown")
	flags.Var(&t.memory, "memory", "memory limit of the open store")
	flags.SortFlags = false
	choices(root, "format", string(formatQuoted), string(formatRaw), string(formatHex))
	root.AddGroup(
		&cobra.Group{ID: groupLook, Title: "Look into a store:"},
		&cobra.Group{ID: groupWrite, Title: "Change a store:"},
		&cobra.Group{ID: groupCare, Title: "Look after a store:"},
		&cobra.Group{ID: groupMove, Title: "Move data:"},
		&cobra.Group{ID: groupInner, Title: "Look into files:"},
	)
	root.AddCommand(t.commands()...)
	return root
}

// commands returns the commands in the order in which the documentation has them.
func (t *tool) commands() []*cobra.Command {
	return []*cobra.Command{
		t.infoCommand(), t.keyspacesCommand(), t.keysCommand(), t.getCommand(), t.scanCommand(), t.showCommand(), t.changesCommand(),
		t.putCommand(), t.delCommand(), t.expireCommand(),
		t.statsCommand(), t.explainCommand(), t.checkCommand(), t.repairCommand(), t.checkpointCommand(),
		t.backupCommand(), t.restoreCommand(), t.verifyCommand(), t.followCommand(),
		t.doctorCommand(),
		t.dumpCommand(), t.loadCommand(), t.exportCommand(), t.importCommand(),
		t.debugCommand(),
		t.serveCommand(), t.benchCommand(), t.completionCommand(), t.versionCommand(),
	}
}

// choices has a shell complete the values of a flag.
func choices(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is not there
	}
}

// keyFlags adds the flags of commands that take keys.
func (t *tool) keyFlags(cmd *cobra.Command) *cobra.Command {
	t.keyspaceFlag(cmd)
	cmd.Flags().BoolVar(&t.hexKeys, "hex", false, "keys and names in arguments are hexadecimal")
	return cmd
}

// keyspaceFlag adds the flag that chooses a keyspace.
func (t *tool) keyspaceFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&t.keyspace, "keyspace", "k", "", "name of the keyspace; none is the default one")
}
