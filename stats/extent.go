package stats

import "unsafe"

// extent is one in the owner's hands.
type extent struct {
	mem  []byte
	tail int // where the lowest cell begins
}

func (e *extent) head() *extentHead { return (*extentHead)(unsafe.Pointer(&e.mem[0])) }

// publish lets readers see the extent, withdraw hides it.
func (e *extent) publish()  { e.head().stamp.Store(e.head().stamp.Load() | 1) }
func (e *extent) withdraw() { e.head().stamp.Store((e.head().stamp.Load() | 1) + 1) }

// fits reports whether there is room for a record and its cell.
func (e *extent) fits(record, cell int) bool {
	return extentHeadSize+int(e.head().records.Load())+record+cell <= e.tail
}

// add puts a record and room for its cell into e, which has that room, and
// returns where the cell lies.
func (e *extent) add(h recordHead, s [3]string, cell int) unsafe.Pointer {
	head := e.head()
	e.tail -= cell
	h.at, h.size = uint32(e.tail), uint32(cell)
	for i := range s {
		h.strings[i] = uint8(len(s[i]))
	}
	done := int(head.records.Load())
	at := extentHeadSize + done
	*(*recordHead)(unsafe.Pointer(&e.mem[at])) = h
	at += recordHeadSize
	for i := range s {
		at += copy(e.mem[at:], s[i])
	}
	head.records.Store(uint64(done + recordSize(s)))
	if cell == 0 {
		return nil
	}
	return unsafe.Pointer(&e.mem[e.tail])
}
