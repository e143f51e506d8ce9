// This file is empty on purpose: an assembly file lets the package declare
// functions without a body, which go:linkname then provides.
