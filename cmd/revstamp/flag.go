package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"revstamp/cmd/revstamp/internal/release"
)

// duration is the value of a flag that is a length of time, not below zero.
type duration time.Duration

func (d *duration) String() string {
	if *d == 0 {
		return "0" // by which help knows that there is no default to tell
	}
	return time.Duration(*d).String()
}

// Type is how help calls the value.
func (*duration) Type() string { return "duration" }

// Set implements pflag.Value.
func (d *duration) Set(s string) error {
	got, err := time.ParseDuration(s)
	if err != nil || got < 0 {
		return errors.New("it is a duration of 0 or more, as 90s or 5m")
	}
	*d = duration(got)
	return nil
}

// natural is the value of a flag that counts something, not below zero.
type natural int

func (n *natural) String() string { return strconv.Itoa(int(*n)) }

// Type is how help calls the value.
func (*natural) Type() string { return "number" }

// Set implements pflag.Value.
func (n *natural) Set(s string) error {
	got, err := strconv.Atoi(s)
	if err != nil || got < 0 {
		return errors.New("it is a number of 0 or more")
	}
	*n = natural(got)
	return nil
}

// naturalVar makes *n the value of a flag; what it is now is the default.
func naturalVar(cmd *cobra.Command, n *int, name, short, usage string) {
	cmd.Flags().VarP((*natural)(n), name, short, usage)
}

// bareWait is what --wait without a duration sets. Nobody writes a quarter of an
// hour like that, so it tells that none was given.
const bareWait = "15m0s"

// wait is the value of --wait.
type wait struct {
	*duration
	bare bool // no duration was given
}

// Set implements pflag.Value.
func (w *wait) Set(s string) error {
	w.bare = s == bareWait
	return w.duration.Set(s)
}

// waitFlag gives cmd the flag --wait. Its duration may be left out, so that one
// behind a space is an argument, which would be taken for a revision, a release or
// a program: it is refused.
func waitFlag(cmd *cobra.Command, o *release.Options) {
	w := &wait{duration: (*duration)(&o.Wait)}
	cmd.Flags().Var(w, "wait", "wait for another release to end, up to `DURATION` (15m when none is given)")
	cmd.Flags().Lookup("wait").NoOptDefVal = bareWait
	args := cmd.Args
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if w.bare && len(given) > 0 && cmd.ArgsLenAtDash() != 0 && isDuration(given[0]) {
			return &usageError{
				msg:  fmt.Sprintf("--wait takes %s with an equals sign: --wait=%[1]s", given[0]),
				hint: fmt.Sprintf("if %q is no duration but a name, write --wait=15m %[1]s", given[0]),
			}
		}
		if args == nil {
			return nil
		}
		return args(cmd, given)
	}
}

// isDuration reports whether s reads like a duration and not like a number.
func isDuration(s string) bool {
	_, err := time.ParseDuration(s)
	return err == nil && s != "0"
}
