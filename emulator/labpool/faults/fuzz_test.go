package faults

import "testing"

// FuzzParse: what is accepted is written as a text that means the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"dns=silent", "web=slow:5s", "register=503:2", "a=b:1h0m0.5s", "=", "dns=silent:-1", "x=y:07", "x=y:1.5h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(first.String())
		if err != nil || again != first {
			t.Errorf("%q is %+v, written %q, which is %+v, %v", text, first, first.String(), again, err)
		}
	})
}
