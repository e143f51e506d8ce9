// Package packaging holds the tests of the files beside it. It is a module of its
// own, as the parser of Dockerfiles brings much along.
package packaging
