// Revstamp releases web sites. See README.md for what it does and how; every
// command explains itself with --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/config"
	"revstamp/cmd/revstamp/internal/release"
	"revstamp/cmd/revstamp/internal/ui"
	"revstamp/vcs"
)

func main() { os.Exit(run()) }

// atOnce is how long after a signal another one is not taken for a second one: timeout(1)
// sends its own to the process and then to the group that it is in.
const atOnce = 250 * time.Millisecond

// run runs the command line and returns the exit status. The first SIGINT,
// SIGTERM or SIGHUP cancels what is being done, a second one kills.
func run() int {
	collectLater()
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(atOnce, stop) })
	outliveReaders()
	a := &app{}
	word := ""
	if len(os.Args) > 1 {
		word = os.Args[1]
	}
	root := newRoot(a, word)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !a.started {
		err = misused(cmd, err, os.Args[1:])
	}
	return a.end(signalled(ctx, err))
}

// misused is err, why the command line args made no sense to cmd, with what would.
func misused(cmd *cobra.Command, err error, args []string) error {
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	msg, _, _ := strings.Cut(err.Error(), "\n") // behind it are suggestions in a form of their own
	if !cmd.HasSubCommands() {
		return &usageError{msg, fmt.Sprintf("it is '%s'; --help tells more", strings.TrimSuffix(cmd.UseLine(), " [flags]"))}
	}
	cmd.SuggestionsMinimumDistance = 2 // which cobra sets for the root alone
	path := strings.Fields(cmd.CommandPath())
	for _, arg := range args {
		if near := cmd.SuggestionsFor(arg); len(near) > 0 && !slices.Contains(path, arg) {
			return &usageError{msg, fmt.Sprintf("did you mean '%s %s'?", cmd.CommandPath(), near[0])}
		}
	}
	return &usageError{msg, fmt.Sprintf("'%s --help' lists what there is", cmd.CommandPath())}
}

// signalled is err, or the signal that ended what failed with it. An error that knows
// the signal itself, as that of a release, also tells what it left.
func signalled(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	_, knows := errors.AsType[*release.Error](err)
	if knows || cause == nil || errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
		return err
	}
	return cause
}

// endings are the signals that end a command in good order: that of a terminal
// that is closed among them, unless nohup said otherwise.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// outliveReaders has a write to standard output or error fail when nobody reads
// there any more, instead of ending the process: a release does not end half way
// because its log does. Processes that are started have SIGPIPE as ever.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// defaultConfig is the configuration file, unless --config says another.
const defaultConfig = "revstamp.yaml"

// app is one run of the command line: the flags that all commands share, and
// where output goes.
type app struct {
	config  string
	env     string
	json    bool
	quiet   bool
	verbose bool

	out     *ui.UI
	started bool // flags were understood, a command has begun
	settled bool // what becomes of the site is decided, whatever becomes of the output
}

// newRoot makes the command line: with the one command that the first word names,
// or with all. The flags of all take longer to make than most commands to run.
func newRoot(a *app, word string) *cobra.Command {
	root := &cobra.Command{
		Use:   "revstamp",
		Short: "Put a web site live, stamped with its revision",
		Long: `Revstamp releases a web site: it updates the working copy, stamps the revision
into configuration files and asset URLs, and queues post-deploy jobs on Gearman.

Exit statuses: 0 done, or nothing to do; 1 failed, nothing changed; 2 usage or
configuration; 3 failed and rolled back; 4 failed and needs resume or abort;
5 locked by another release; 6 released, but a job failed or was lost;
130 interrupted, resumable.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] == "" {
				// What a script made of a variable that is not set: to take it for
				// none would release, or roll back, what nobody has named.
				return errors.New("the first argument is empty")
			}
			a.started = true
			a.open()
			return a.findConfig(cmd)
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.config, "config", "c", defaultConfig, "configuration `file`")
	flags.StringVarP(&a.env, "env", "e", "", "`environment`: lays revstamp.ENVIRONMENT.yaml over the configuration")
	flags.BoolVar(&a.json, "json", false, "write JSON lines to standard output")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "only errors and results")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "say more, such as which clients are run")
	if make, ok := commands[word]; ok {
		root.AddCommand(make(a))
		return root
	}
	for _, make := range commands {
		root.AddCommand(make(a))
	}
	return root
}

// commands are all, by name.
var commands = map[string]func(*app) *cobra.Command{
	"release": newRelease, "plan": newPlan, "rollback": newRollback, "resume": newResume, "abort": newAbort,
	"status": newStatus, "history": newHistory, "show": newShow, "follow": newFollow,
	"check": newCheck, "lock": newLock, "revision": newRevision, "stamp": newStamp, "backups": newBackups, "init": newInit,
	"job": newJob, "worker": newWorker, "jobserver": newJobServer,
	"assets": newAssets, "helper": newHelper, "conf": newConf,
	"demo": newDemo, "version": newVersion,
}

// findConfig refuses a configuration that is asked for and not there, whatever the
// command would do without one. Init makes its own.
func (a *app) findConfig(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("config") && a.env == "" || cmd.Name() == "init" {
		return nil
	}
	_, err := os.Stat(a.config)
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return &config.FileError{Path: a.config, Err: pathErr.Err}
	}
	return err
}

// open makes the output as the flags want it.
func (a *app) open() {
	o := ui.Standard()
	o.Version, o.JSON, o.Quiet, o.Verbose = version(), a.json, a.quiet, a.verbose
	o.Redact = secrets(os.Environ())
	a.out = ui.New(o)
}

// end reports err, if any, and returns the exit status that it stands for.
func (a *app) end(err error) int {
	if a.out == nil {
		a.open()
	}
	status := exitStatus(err)
	if !a.started && err != nil {
		status = exitUsage
	}
	if readerLeft(err) {
		return exitPipe
	}
	if err != nil && !onlyStatus(err) {
		if changes, ok := errors.AsType[*vcs.LocalChangesError](err); ok && !a.json {
			a.out.Diff([]byte(changes.Diff))
		}
		a.out.Error(err, hint(err), append(fields(err), "status", status)...)
	}
	return a.close(status, err)
}

// close ends the output. When something that programs read could not be written,
// that is told where there is still somebody, and is a failure, except of what has
// been done to a site: its status says what has become of that. What had failed
// before that is told there again.
func (a *app) close(status int, failed error) int {
	err := a.out.Close()
	if err == nil || readerLeft(err) && (a.settled || status != exitDone) {
		return status
	}
	if readerLeft(err) {
		return exitPipe
	}
	if failed != nil && a.json && !errors.Is(err, failed) {
		fmt.Fprintln(os.Stderr, "revstamp:", a.out.Redact(failed.Error()))
	}
	fmt.Fprintln(os.Stderr, "revstamp:", err)
	if status == exitDone && !a.settled {
		return exitFailed
	}
	return status
}

// readerLeft reports whether err is that nobody reads standard output any more,
// as in "revstamp history | head -1". That is nothing to tell anybody.
func readerLeft(err error) bool {
	e, ok := errors.AsType[*fs.PathError](err)
	return ok && e.Path == os.Stdout.Name() && e.Err == syscall.EPIPE
}

// onlyStatus reports whether err is nothing more than an exit status.
func onlyStatus(err error) bool {
	_, detached := errors.AsType[*detachedError](err)
	return detached || err == errToDo || err == errFound
}
