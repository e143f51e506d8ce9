// Package system holds the tests of the whole: endpoints on a running reactor
// against the simulated exchange, over plain TCP and over TLS, while things go
// wrong. Each test is named for the behaviour it shows. There is no code here
// but tests.
package system
