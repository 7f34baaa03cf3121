package release

import (
	"os"
	"strconv"
	"sync"
	"time"
)

// writings knows what releases wrote, for whoever asks about thousands of files:
// a journal is read when it is new, and again when it has grown.
type writings struct {
	state  *state
	mu     sync.Mutex
	read   map[int]journalRead // by the release's number
	all    []int               // their numbers, when the directory was last changed at listed
	listed time.Time

	earlier func() (map[string]writing, error) // those whose journals are gone, read once
}

// writings are those that s tells of.
func (s *state) writings() *writings {
	return &writings{state: s, read: make(map[int]journalRead), earlier: sync.OnceValues(s.remembered)}
}

// journalRead is what a journal said when it was of that size and age.
type journalRead struct {
	size    int64
	changed time.Time
	release *Release
}

// wrote reports whether a release wrote content to the file at abs, later than
// any other content. What cannot be read has written nothing.
func (w *writings) wrote(abs string, content []byte) bool {
	name := w.state.name(abs)
	w.mu.Lock()
	defer w.mu.Unlock()
	numbers, err := w.numbers()
	if err != nil {
		return false
	}
	earlier, err := w.earlier()
	if err != nil {
		return false
	}
	last := earlier[name]
	for i := len(numbers) - 1; i >= 0 && numbers[i] > last.number; i-- {
		r, err := w.release(numbers[i])
		if err != nil {
			return false
		}
		if own, ok := r.writing(name); ok {
			last = own
			break
		}
	}
	return last.sum != "" && last.sum == digest(content)
}

// numbers lists the journals, the oldest first.
func (w *writings) numbers() ([]int, error) {
	info, err := os.Stat(w.state.journals())
	if err != nil {
		return nil, err
	}
	// A directory that was just changed may change again within a tick.
	if w.listed.Equal(info.ModTime()) && time.Since(w.listed) > time.Second {
		return w.all, nil
	}
	w.all, err = w.state.sequence()
	w.listed = info.ModTime()
	return w.all, err
}

// release reads a journal. That of a release that came to its end tells of no
// more files.
func (w *writings) release(number int) (*Release, error) {
	known, ok := w.read[number]
	if ok && known.release.Status != Unfinished {
		return known.release, nil
	}
	journal := w.state.journal(strconv.Itoa(number))
	info, err := os.Stat(journal)
	if err != nil {
		return nil, err
	}
	if ok && known.size == info.Size() && known.changed.Equal(info.ModTime()) {
		return known.release, nil
	}
	records, err := readJournal(journal)
	if err != nil {
		return nil, err
	}
	w.read[number] = journalRead{info.Size(), info.ModTime(), fold(records)}
	return w.read[number].release, nil
}
