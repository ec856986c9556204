package compare

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The alignment keeps both orders, is made of equals, and leaves as few alone as the textbook's table says.
func TestAlign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.SampledFrom([]rune("abcd")), 0, 24)
		a, b := letters.Draw(t, "a"), letters.Draw(t, "b")
		pairs, ok := align(len(a), len(b), func(i, j int) bool { return a[i] == b[j] })
		if !ok {
			t.Fatal("not aligned")
		}
		var left, right []int
		together := 0
		for _, p := range pairs {
			if p.a >= 0 {
				left = append(left, p.a)
			}
			if p.b >= 0 {
				right = append(right, p.b)
			}
			if p.a >= 0 && p.b >= 0 {
				together++
				if a[p.a] != b[p.b] {
					t.Errorf("%d and %d are not equal", p.a, p.b)
				}
			}
		}
		for _, side := range []struct {
			got []int
			n   int
		}{{left, len(a)}, {right, len(b)}} {
			if len(side.got) != side.n || !slices.IsSorted(side.got) {
				t.Errorf("%v of %d", side.got, side.n)
			}
		}
		if want := longest(a, b); together != want {
			t.Errorf("%d together, %d would be", together, want)
		}
	})
}

func longest(a, b []rune) int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := range a {
		for j := range b {
			table[i+1][j+1] = max(table[i][j+1], table[i+1][j])
			if a[i] == b[j] {
				table[i+1][j+1] = table[i][j] + 1
			}
		}
	}
	return table[len(a)][len(b)]
}

func TestOutOfOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7}).Draw(t, "order")
		order = order[:rapid.IntRange(0, len(order)).Draw(t, "length")]
		out := outOfOrder(order)
		var rest []int
		for i, x := range order {
			if !slices.Contains(out, i) {
				rest = append(rest, x)
			}
		}
		sorted := slices.Sorted(slices.Values(order))
		a, b := make([]rune, len(order)), make([]rune, len(order))
		for i := range order {
			a[i], b[i] = rune(order[i]), rune(sorted[i])
		}
		if !slices.IsSorted(rest) || len(rest) != longest(a, b) {
			t.Errorf("%v is left of %v", rest, order)
		}
	})
}
