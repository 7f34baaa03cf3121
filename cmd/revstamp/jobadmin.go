package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"revstamp/gearman"
)

// A jobAdmin is the commands below job admin, which ask and tell one job server.
type jobAdmin struct {
	*jobs
	server string
}

func newJobAdmin(j *jobs) *cobra.Command {
	a := &jobAdmin{jobs: j}
	cmd := &cobra.Command{
		Use:   "admin",
		Short: "Ask and tell a job server by its admin commands",
		Long: `Admin gives one job server, gearmand or the embedded one, a command of the text
protocol. What it refuses is an error.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{msg: "what to ask the job server is not said", hint: "see revstamp job admin --help"}
		},
	}
	cmd.PersistentFlags().StringVarP(&a.server, "server", "s", "", "job `server`; by default the configured one, else "+defaultServer)
	cmd.AddCommand(
		a.list("status", "List the functions: their jobs, how many run, their workers", listFunctions),
		a.list("prioritystatus", "List the functions: their queued jobs by priority", listPriorities),
		a.list("workers", "List the connections and what they can do", listWorkers),
		a.show(),
		a.tell("cancel HANDLE", "Take a queued job away", func(ctx context.Context, s *gearman.Admin, args []string) error {
			return s.CancelJob(ctx, args[0])
		}),
		a.tell("create FUNCTION", "Make a function known", func(ctx context.Context, s *gearman.Admin, args []string) error {
			return s.CreateFunction(ctx, args[0])
		}),
		a.tell("drop FUNCTION", "Forget a function that nobody works for", func(ctx context.Context, s *gearman.Admin, args []string) error {
			return s.DropFunction(ctx, args[0])
		}),
		a.tell("maxqueue FUNCTION JOBS", "Limit the jobs of a function; 0 is no limit", maxQueue),
		a.value("version", "Tell the server's version", (*gearman.Admin).Version),
		a.value("getpid", "Tell the number of the server's process", func(s *gearman.Admin, ctx context.Context) (string, error) {
			pid, err := s.PID(ctx)
			return strconv.Itoa(pid), err
		}),
		a.value("verbose", "Tell how much the server logs", (*gearman.Admin).Verbose),
		a.shutdown(),
	)
	return cmd
}

// admin is the server to ask.
func (a *jobAdmin) admin() (*gearman.Admin, error) {
	addr := a.server
	if addr == "" {
		servers := a.servers(nil)
		if len(servers) > 1 {
			return nil, &usageError{msg: "there are several job servers", hint: "--server is one of " + strings.Join(servers, ", ")}
		}
		addr = servers[0]
	}
	tls, err := a.tls.client(a.app, addr)
	if err != nil {
		return nil, err
	}
	return &gearman.Admin{Addr: addr, TLS: tls}, nil
}

// A listing is the answer to a question: what --json shows, and a table of it.
type listing struct {
	value any
	head  []any
	rows  [][]any
}

func (l listing) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]any{l.head}, l.rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = shownCell(fmt.Sprint(cell))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// shownCell is text that stays in its column: job servers let names hold what
// they like.
func shownCell(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

func (a *jobAdmin) list(use, short string, ask func(context.Context, *gearman.Admin) (listing, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := a.admin()
			if err != nil {
				return err
			}
			l, err := ask(cmd.Context(), server)
			if err != nil {
				return err
			}
			return a.out.Result(l.value, l.write)
		},
	}
}

func (a *jobAdmin) show() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "List the jobs",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{msg: "what to show is not said", hint: "it is show jobs or show unique jobs"}
		},
	}
	unique := a.list("unique [jobs]", "List the unique keys of the jobs", listUniques)
	unique.Args = cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)
	unique.ValidArgs = []string{"jobs"}
	cmd.AddCommand(a.list("jobs", "List the jobs by their handles", listJobs), unique)
	return cmd
}

// tell is a command that is answered with OK.
func (a *jobAdmin) tell(use, short string, do func(context.Context, *gearman.Admin, []string) error) *cobra.Command {
	name, args, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(len(strings.Fields(args))),
		RunE: func(cmd *cobra.Command, args []string) error {
			server, err := a.admin()
			if err == nil {
				err = do(cmd.Context(), server, args)
			}
			if err != nil {
				return err
			}
			a.out.Info("%s %s: done", name, strings.Join(args, " "))
			return nil
		},
	}
}

func (a *jobAdmin) value(name, short string, ask func(*gearman.Admin, context.Context) (string, error)) *cobra.Command {
	return a.list(name, short, func(ctx context.Context, s *gearman.Admin) (listing, error) {
		v, err := ask(s, ctx)
		return listing{value: map[string]string{name: v}, head: []any{v}}, err
	})
}

func (a *jobAdmin) shutdown() *cobra.Command {
	var graceful bool
	cmd := a.tell("shutdown", "End the server, if it lets itself be told", func(ctx context.Context, s *gearman.Admin, _ []string) error {
		return s.Shutdown(ctx, graceful)
	})
	cmd.Flags().BoolVar(&graceful, "graceful", false, "once its last job is done")
	return cmd
}

func maxQueue(ctx context.Context, s *gearman.Admin, args []string) error {
	jobs, err := strconv.Atoi(args[1])
	if err != nil || jobs < 0 {
		return &usageError{msg: fmt.Sprintf("%q is no number of jobs", args[1]), hint: "0 is no limit"}
	}
	return s.MaxQueue(ctx, args[0], jobs)
}

func listFunctions(ctx context.Context, s *gearman.Admin) (listing, error) {
	all, err := s.Status(ctx)
	l := listing{value: all, head: []any{"FUNCTION", "JOBS", "RUNNING", "WORKERS"}}
	for _, f := range all {
		l.rows = append(l.rows, []any{f.Function, f.Total, f.Running, f.Workers})
	}
	return l, err
}

func listPriorities(ctx context.Context, s *gearman.Admin) (listing, error) {
	all, err := s.PriorityStatus(ctx)
	l := listing{value: all, head: []any{"FUNCTION", "HIGH", "NORMAL", "LOW", "WORKERS"}}
	for _, f := range all {
		l.rows = append(l.rows, []any{f.Function, f.High, f.Normal, f.Low, f.Workers})
	}
	return l, err
}

func listWorkers(ctx context.Context, s *gearman.Admin) (listing, error) {
	all, err := s.Workers(ctx)
	l := listing{value: all, head: []any{"FD", "ADDRESS", "ID", "FUNCTIONS"}}
	for _, w := range all {
		l.rows = append(l.rows, []any{w.Descriptor, w.Addr, w.ID, strings.Join(w.Functions, " ")})
	}
	return l, err
}

func listJobs(ctx context.Context, s *gearman.Admin) (listing, error) {
	all, err := s.Jobs(ctx)
	l := listing{value: all, head: []any{"HANDLE", "RETRIES", "IGNORED", "QUEUED"}}
	for _, j := range all {
		l.rows = append(l.rows, []any{j.Handle, j.Retries, j.Ignored, j.Queued})
	}
	return l, err
}

func listUniques(ctx context.Context, s *gearman.Admin) (listing, error) {
	all, err := s.UniqueJobs(ctx)
	l := listing{value: all, head: []any{"UNIQUE"}}
	for _, unique := range all {
		l.rows = append(l.rows, []any{unique})
	}
	return l, err
}
