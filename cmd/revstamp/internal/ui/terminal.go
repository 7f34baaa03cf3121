package ui

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// terminal shows steps and jobs that are over as lines, and those under way
// as live rows below them.
type terminal struct {
	u       *UI
	style   style
	console *console

	rows    *mpb.Progress // nil until something is under way
	frames  chan any      // asks mpb to draw a frame
	gone    chan any      // closed by mpb when it draws no more
	drawing sync.WaitGroup

	step     *mpb.Bar // nil when none is under way
	progress *row     // nil when nothing has a bar
	jobs     map[string]*row
}

func newTerminal(u *UI) *terminal {
	return &terminal{
		u:       u,
		style:   styleFor(u.o.Env, true),
		console: &console{w: u.o.Err, size: u.o.Size},
		jobs:    map[string]*row{},
	}
}

func (t *terminal) show(e event) error {
	switch e.kind {
	case kindStep:
		return t.showStep(e)
	case kindJob:
		return t.showJob(e)
	case kindProgress:
		t.showProgress(e)
		return nil
	case kindError:
		var b strings.Builder
		(&lines{u: t.u, style: t.style}).error(&b, e)
		return t.console.print(b.String())
	case kindWarning:
		return t.console.print(problemLine(t.u, t.style, "warning", problem{message: e.text}) + "\n")
	}
	return t.console.print(eventLine(t.u, t.style, e) + "\n")
}

// showStep lets a step that begins live in a row, and ends it as a line.
func (t *terminal) showStep(e event) error {
	t.drop(t.step)
	t.step = nil
	if e.state != started {
		return t.console.print(stepLine(t.u, t.style, e) + "\n")
	}
	name, since := t.u.safe.line(e.step), e.time
	t.step = t.add(nil, mpb.BarPriority(stepRow),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			return t.spin(since) + " " + pad(name, stepWidth) + "  " + t.u.o.Now().Sub(since).Truncate(time.Second).String()
		})))
	return nil
}

// stepRow puts the row of the step below those of the jobs.
const stepRow = math.MaxInt

// spin is a mark that turns.
func (t *terminal) spin(since time.Time) string {
	signs := []string{"|", "/", "-", `\`}
	if t.u.mark.utf8 {
		signs = []string{"⠋", "⠙", "⠸", "⠴", "⠦", "⠇"}
	}
	return signs[int(max(0, t.u.o.Now().Sub(since))/frameTime)%len(signs)]
}

// row is a job under way. It is drawn by a goroutine of mpb, which must not
// wait for the UI: what it draws is swapped in whole.
type row struct {
	bar  *mpb.Bar // nil when nothing can be drawn any more
	last atomic.Pointer[event]
}

// nameWidth is what a job's name may take of a row.
const nameWidth = 28

func (t *terminal) showJob(e event) error {
	r := t.jobs[e.job.id]
	if over(e.state) {
		if r != nil {
			t.drop(r.bar)
			delete(t.jobs, e.job.id)
		}
		return t.console.print(jobLine(t.u, t.style, e) + "\n")
	}
	if r == nil {
		r = &row{}
		r.last.Store(&e)
		r.bar = t.add(t.filler(r),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return t.rowHead(*r.last.Load()) })),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return t.rowTail(*r.last.Load()) })))
		t.jobs[e.job.id] = r
	}
	r.set(&e)
	return nil
}

// set has the row tell of e.
func (r *row) set(e *event) {
	r.last.Store(e)
	if r.bar != nil {
		r.bar.SetTotal(int64(e.job.d), false)
		r.bar.SetCurrent(int64(e.job.n))
	}
}

// showProgress has a bar until all is done.
func (t *terminal) showProgress(e event) {
	if e.job.n >= e.job.d {
		if t.progress != nil {
			t.drop(t.progress.bar)
			t.progress = nil
		}
		return
	}
	if r := t.progress; r == nil {
		r = &row{}
		r.last.Store(&e)
		what := pad(t.u.safe.line(e.step), stepWidth)
		r.bar = t.add(t.filler(r), mpb.BarPriority(stepRow),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return "  " + what + " " })),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return t.rowTail(*r.last.Load()) })))
		t.progress = r
	}
	t.progress.set(&e)
}

func (t *terminal) rowHead(e event) string {
	return "  " + pad(jobName(t.u, e.job), nameWidth) + " "
}

func (t *terminal) rowTail(e event) string {
	if e.job.d <= 0 {
		return t.u.safe.line(e.state)
	}
	return fmt.Sprintf(" %d/%d", e.job.n, e.job.d)
}

// filler draws a bar for a job that says how far it is.
func (t *terminal) filler(r *row) mpb.BarFiller {
	bar := mpb.BarStyle().Lbound("[").Filler("#").Tip("#").Padding(".").Rbound("]").Build()
	return mpb.BarFillerFunc(func(w io.Writer, stat decor.Statistics) error {
		if r.last.Load().job.d <= 0 {
			return nil
		}
		return bar.Fill(w, stat)
	})
}

// add adds a row; the first one begins the drawing. A row never completes by
// itself, because its total is zero when it is made. When the terminal is gone
// there is no row, and nil.
func (t *terminal) add(filler mpb.BarFiller, options ...mpb.BarOption) *mpb.Bar {
	if t.rows == nil {
		t.begin()
	}
	bar, err := t.rows.Add(0, filler, append(options, mpb.BarFillerTrim())...)
	if err != nil {
		return nil
	}
	return bar
}

// begin has the rows drawn, time and again, until close.
func (t *terminal) begin() {
	t.frames, t.gone = make(chan any), make(chan any)
	t.rows = mpb.New(mpb.WithConsoleWriter(t.console), mpb.WithManualRefresh(t.frames), mpb.WithShutdownNotifier(t.gone))
	t.drawing.Go(func() {
		tick := time.NewTicker(frameTime)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				t.draw(1)
			case <-t.gone:
				return
			}
		}
	})
}

// draw asks for n frames. The last but two are on the screen when it returns.
func (t *terminal) draw(n int) {
	for range n {
		select {
		case t.frames <- time.Time{}:
		case <-t.gone:
		}
	}
}

// drop takes down bar, if it is not nil, at once: mpb draws it once more
// before it lets it go.
func (t *terminal) drop(bar *mpb.Bar) {
	if bar != nil {
		bar.Abort(true)
		t.draw(4)
	}
}

func (t *terminal) result(r result) error {
	return t.console.around(func() error { return writeResult(t.u, r) })
}

func (t *terminal) close() error {
	if t.rows != nil {
		t.rows.Shutdown()
		t.drawing.Wait()
	}
	return t.console.clear()
}
