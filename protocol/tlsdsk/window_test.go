package tlsdsk_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

func TestWindow(t *testing.T) {
	type step struct {
		n    uint32
		want bool
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"in order", []step{{1, true}, {2, true}, {3, true}}},
		{"repeated", []step{{1, true}, {1, false}, {2, true}, {1, false}, {2, false}}},
		{"0", []step{{0, false}, {1, true}, {0, false}}},
		{"a new association goes on at 6", []step{{6, true}, {7, true}, {6, false}, {5, false}}},
		{"out of order", []step{{1, true}, {5, true}, {3, true}, {4, true}, {2, true}, {3, false}}},
		{"255 below the highest", []step{{1, true}, {300, true}, {45, true}, {45, false}, {44, false}}},
		{"a gap forgets what was seen in its slots", []step{{1, true}, {10, true}, {10 + 256*3, true}, {10 + 256*3 - 1, true}, {10, false}}},
		{"highest number", []step{{1, true}, {math.MaxUint32, true}, {math.MaxUint32, false}, {math.MaxUint32 - 255, true}, {1, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w tlsdsk.Window
			for i, s := range c.steps {
				if got := w.Accept(s.n); got != s.want {
					t.Errorf("step %d: %d accepted %v, want %v", i, s.n, got, s.want)
				}
			}
		})
	}
}

// The window against its definition.
func TestWindowMatchesItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w tlsdsk.Window
		seen := map[uint32]bool{}
		var first, highest uint32
		n := rapid.Uint32Range(1, 1000).Draw(t, "first")
		for range rapid.IntRange(1, 400).Draw(t, "length") {
			want := n != 0 && !seen[n] && (highest == 0 || (n >= first && (n > highest || highest-n < 256)))
			if got := w.Accept(n); got != want {
				t.Fatalf("%d after highest %d: %v, want %v", n, highest, got, want)
			}
			if want {
				if highest == 0 {
					first = n
				}
				seen[n] = true
				highest = max(highest, n)
			}
			n = uint32(max(0, int64(n)+int64(rapid.IntRange(-300, 300).Draw(t, "step"))))
		}
	})
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]uint32{"1": 1, "390": 390, "4294967295": math.MaxUint32, "0": 0} {
		if n, err := tlsdsk.ParseNumber(text); err != nil || n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "01", "+1", "-1", "1 ", "0x1", "4294967296", "one"} {
		if n, err := tlsdsk.ParseNumber(text); !errors.Is(err, tlsdsk.ErrParams) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}
