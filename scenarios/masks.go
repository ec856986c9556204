// Package scenarios holds the files that the packages below it read.
package scenarios

import _ "embed"

// Masks says what two boots may differ in without being different, see package compare.
//
//go:embed masks.yaml
var Masks []byte
