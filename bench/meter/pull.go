package meter

// Pull does the work with a client that blocks: ask sends the question of a
// burst, next returns the payload of the next message, valid until it is called
// again, and an error at the end of the connection. It prints the line.
func Pull(name string, w Work, ask func(question []byte) error, next func() ([]byte, error)) error {
	m := New(name, w)
	if w.Mode != Burst {
		for {
			p, err := next()
			if err != nil {
				return m.Done() // which knows whether all of it came
			}
			m.Message(p)
		}
	}
	question := Question()
	for more := true; more; more = m.Answered() {
		m.Ask()
		if err := ask(question); err != nil {
			return err
		}
		for range w.N {
			p, err := next()
			if err != nil {
				return err
			}
			m.Message(p)
		}
	}
	return m.Done()
}
