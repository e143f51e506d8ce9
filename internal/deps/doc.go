// Package deps holds the library to two promises, by a test over `go list`:
// importing boomnet brings in next to nothing, and inside the library imports go
// down only. There is no code here but the test; its tables are the rule, and a
// new library package or dependency is added there on purpose or not at all.
package deps
