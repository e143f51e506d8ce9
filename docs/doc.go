// Package docs holds the documentation of boomnet, Markdown pages that begin with
// README.md, and the tests that keep them true. It is a module of its own, so that
// the libraries that a page compares with are no business of who imports boomnet.
//
// What the tests do with a page:
//
//	```go       that begins with "package main": a whole program. It is built, vetted and run
//	            against a simulated exchange, which takes the place of 127.0.0.1:9443, with
//	            ca.pem in its directory when the program uses wss. What it prints must be
//	            what the next fence says.
//	```text     behind a program: what it prints, both outputs together. "…" stands for any
//	            text inside a line, and in a line of its own for any lines. A line "^C" is an
//	            interrupt. A last line "exit status 1" says with what the program ends.
//	```go       with "func Test": a test file; it is run, and must pass.
//	```go       anything else: declarations, or the body of a function. It is type-checked with
//	            what prelude_test.go declares.
//	```console  lines that begin with "$ " are commands. Every boomctl command is checked against the
//	            real command line, every go test command for tests that exist; one with output
//	            below it is run, and must print that.
//	links       lead to a file and a heading that exist.
//	`a.B`       in running text, with a package of boomnet as a, names something exported there.
//
// The tables of defaults and the error texts have tests of their own.
package docs
