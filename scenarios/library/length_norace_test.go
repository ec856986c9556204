//go:build !race

package library_test

const every = 1
