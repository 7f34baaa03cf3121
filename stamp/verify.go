package stamp

import "slices"

// verify makes sure of the changed text: the same keys, the wanted values at the
// named ones, and at all the others what was there.
//
// It reads what a change can reach, which is what there is between two seams. Up
// to the last one before the change both texts are the same, so all that the
// first reading found there is found in the changed text, too. From there the
// changed text is scanned, literal by literal, to a seam behind the change that
// both texts have, with the same state: as many literals with the same sum must
// be found in both up to there, the old mark of a changed one standing in for its
// new. What is behind is the same in both texts, up to the next change, and so is
// what is found there. Where they meet at no seam, all up to the end is scanned.
func (b *edit) verify(out []byte) error {
	lang := b.requests[0].lang
	v := verification{edit: b, src: view(out), first: b.splices[0].of}
	if p, ok := lang.(replacer); ok {
		if err := p.verify(out, b.tally.count, len(b.by)); err != nil {
			return b.locate(v.first, err)
		}
		return nil
	}
	for v.passed < len(b.splices) {
		if err := lang.scan(v.src, v.takeUp(), &v); err != nil {
			v.wrong(v.first, "%v", err)
		} else if !v.met && v.now != v.was(never) {
			v.differs()
		}
		if v.err != nil || !v.met {
			return v.err
		}
	}
	return nil
}

// locate tells where the value is, and the target that names it, in an error.
func (b *edit) locate(i int, err error) error {
	return b.by[i].locate(b.src, at(err, b.named[i].start))
}

// verification is the second reading, of the changed text.
type verification struct {
	*edit
	src    string
	from   stage // where it was taken up, in the old text
	now    tally // its count is of all so far, its sum of those from there
	next   int   // of named
	passed int   // how many splices are behind
	before int   // and were when it was taken up
	shift  int   // how far what follows them has moved
	meet   int   // the seam where both texts may meet
	met    bool
	first  int   // of those that change: to blame for what cannot be told
	err    error // what is wrong first
}

// takeUp returns the last seam before the next splice. The byte behind a seam
// counts as before it.
func (v *verification) takeUp() seam {
	start := v.splices[v.passed].start
	i := 0
	for i+1 < len(v.seams) && v.seams[i+1].at < start {
		i++
	}
	s := v.seams[i]
	v.from, v.now, v.next, v.before, v.meet, v.met = s, tally{count: s.count}, s.named, v.passed, i+1, false
	if i > 0 {
		s.at += v.shift
	}
	return s.seam
}

// was is what now must be at the end, a place in the old text.
func (v *verification) was(end int) tally {
	if v.summed {
		return v.tally
	}
	old := sum{src: v.text, end: end, tally: tally{count: v.from.count}}
	_ = v.requests[0].lang.scan(v.text, v.from.seam, &old) // which has been read before
	return old.tally
}

// sum is the sink that sums up what is found up to a seam.
type sum struct {
	src string
	end int
	tally
}

func (s *sum) add(l *literal) { s.tally.add(l.mark(s.src)) }

func (s *sum) again() bool {
	s.tally = tally{}
	return true
}

func (s *sum) seam(at seam) (next int) {
	if at.at >= s.end {
		return -1
	}
	return s.end
}

func (v *verification) seam(s seam) (next int) {
	if v.err != nil {
		return -1
	}
	for v.passed < len(v.splices) && v.splices[v.passed].start+v.shift < s.at {
		p := v.splices[v.passed]
		if end := p.start + v.shift + len(p.text); s.at < end {
			return end // in what was written the old text has no seam
		}
		v.shift += len(p.text) - (p.end - p.start)
		v.passed++
	}
	old := s.at - v.shift
	for ; v.meet < len(v.seams); v.meet++ {
		switch m := v.seams[v.meet]; {
		case m.at > old:
			return m.at + v.shift
		case m.at < old || v.passed == v.before || m.state != s.state:
			continue
		case v.was(m.at) != v.now:
			v.differs()
		}
		v.met = true
		return -1
	}
	return never
}

func (v *verification) again() bool {
	*v = verification{edit: v.edit, src: v.src, first: v.first}
	return true
}

func (v *verification) add(now *literal) {
	n, i := v.now.count, v.next
	named := i < len(v.named) && v.named[i].nth == n
	if named {
		v.next++
	}
	r, changed := v.by[i]
	if !named || !changed {
		v.now.add(now.mark(v.src))
		return
	}
	old := &v.named[i]
	kind := old.kind
	if r.Type == "string" {
		kind = "string"
	}
	switch {
	case now.key != old.key:
		v.wrong(i, "key %s became %s", old.key, now.key)
	case now.text != r.value || now.kind != kind || now.refused != "":
		v.wrong(i, "%s %q was read as %s %q", kind, r.value, now.kind, now.text)
	}
	v.now.add(old.mark(v.text))
}

// differs tells in which key the changed text differs, but for those that were
// to change.
func (v *verification) differs() {
	lang := v.requests[0].lang
	was, _ := collect(lang, v.text)
	is, err := collect(lang, v.src)
	if len(is) != len(was) || err != nil {
		v.wrong(v.first, "%d keys became %d", len(was), len(is))
	}
	for i, l := range was {
		ours := slices.ContainsFunc(v.splices, func(s splice) bool { return s.start == l.start })
		if !ours && v.err == nil && l.mark(v.text) != is[i].mark(v.src) {
			v.wrong(v.first, "another value changed too, %s", is[i].key)
		}
	}
	v.wrong(v.first, "another value changed too")
}

func (v *verification) wrong(i int, format string, args ...any) {
	if v.err == nil {
		e := refuse(BadSelector, -1, "the value cannot be written here so that it is read back: "+format, args...)
		v.err = v.locate(i, e)
	}
}
