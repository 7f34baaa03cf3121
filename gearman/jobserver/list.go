package jobserver

// A list is a doubly linked list whose links live in its elements, so that an
// element found by another way is removed at once and without an allocation.
// The zero list is empty.
type list[T any] struct {
	front, back *link[T]
	n           int
}

// A link is an element's place in one list. Its zero value is in none.
type link[T any] struct {
	of         T
	in         *list[T]
	prev, next *link[T]
}

func (l *list[T]) pushBack(k *link[T], of T) {
	*k = link[T]{of: of, in: l, prev: l.back}
	if l.back == nil {
		l.front = k
	} else {
		l.back.next = k
	}
	l.back = k
	l.n++
}

func (l *list[T]) pushFront(k *link[T], of T) {
	*k = link[T]{of: of, in: l, next: l.front}
	if l.front == nil {
		l.back = k
	} else {
		l.front.prev = k
	}
	l.front = k
	l.n++
}

// remove takes k out of the list it is in, if any.
func (k *link[T]) remove() {
	l := k.in
	if l == nil {
		return
	}
	if k.prev == nil {
		l.front = k.next
	} else {
		k.prev.next = k.next
	}
	if k.next == nil {
		l.back = k.prev
	} else {
		k.next.prev = k.prev
	}
	l.n--
	*k = link[T]{}
}
