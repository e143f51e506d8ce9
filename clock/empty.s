// This file is empty on purpose: an assembly file lets the package declare
// Nano without a body, which go:linkname then provides.
