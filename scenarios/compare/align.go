package compare

import (
	"slices"
	"sort"
)

// maxEdits bounds the search for the shortest way from one list to the other; its time and memory grow with the square.
const maxEdits = 2000

// pair is what stands on both sides at a place of a common order, -1 where a side has nothing.
type pair struct{ a, b int }

// align puts two lists side by side with the fewest that stand alone (Myers 1986). ok is false if these are more than
// [maxEdits].
func align(n, m int, same func(a, b int) bool) (out []pair, ok bool) {
	begin := 0
	for begin < n && begin < m && same(begin, begin) {
		begin++
	}
	end := 0
	for end < n-begin && end < m-begin && same(n-1-end, m-1-end) {
		end++
	}
	for i := range begin {
		out = append(out, pair{i, i})
	}
	middle, ok := shortest(n-begin-end, m-begin-end, func(a, b int) bool { return same(begin+a, begin+b) })
	for _, p := range middle {
		if p.a >= 0 {
			p.a += begin
		}
		if p.b >= 0 {
			p.b += begin
		}
		out = append(out, p)
	}
	for i := end; i > 0; i-- {
		out = append(out, pair{n - i, m - i})
	}
	return out, ok
}

func shortest(n, m int, same func(a, b int) bool) ([]pair, bool) {
	if n == 0 || m == 0 {
		return alone(n, m), true
	}
	most := min(n+m, maxEdits)
	reach := map[int]int{1: 0} // by diagonal a-b, how far along a
	var trail []map[int]int
	for d := 0; d <= most; d++ {
		step := make(map[int]int, d+1)
		for k := -d; k <= d; k += 2 {
			a := reach[k-1] + 1
			if k == -d || k != d && reach[k-1] < reach[k+1] {
				a = reach[k+1]
			}
			b := a - k
			for a < n && b < m && same(a, b) {
				a, b = a+1, b+1
			}
			step[k] = a
			if a >= n && b >= m {
				return walkBack(n, m, append(trail, step)), true
			}
		}
		trail = append(trail, step)
		reach = step
	}
	return alone(n, m), false
}

func alone(n, m int) (out []pair) {
	for i := range n {
		out = append(out, pair{i, -1})
	}
	for i := range m {
		out = append(out, pair{-1, i})
	}
	return out
}

func walkBack(a, b int, trail []map[int]int) (out []pair) {
	for d := len(trail) - 1; d > 0; d-- {
		reach, k := trail[d-1], a-b
		from := k - 1
		if k == -d || k != d && reach[k-1] < reach[k+1] {
			from = k + 1
		}
		x := reach[from]
		y := x - from
		// from (x, y) one step, then diagonally to (a, b)
		stepA, stepB := x+1, y
		if from == k+1 {
			stepA, stepB = x, y+1
		}
		for a > stepA && b > stepB {
			a, b = a-1, b-1
			out = append(out, pair{a, b})
		}
		if from == k+1 {
			out = append(out, pair{-1, y})
		} else {
			out = append(out, pair{x, -1})
		}
		a, b = x, y
	}
	for a > 0 && b > 0 {
		a, b = a-1, b-1
		out = append(out, pair{a, b})
	}
	slices.Reverse(out)
	return out
}

// outOfOrder returns the places of order whose numbers stand in the way of the longest rise.
func outOfOrder(order []int) []int {
	var ends []int // of the best rise of each length, the place of its last number
	before := make([]int, len(order))
	for i, x := range order {
		n := sort.Search(len(ends), func(n int) bool { return order[ends[n]] >= x })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	kept := map[int]bool{}
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			kept[i] = true
		}
	}
	var out []int
	for i := range order {
		if !kept[i] {
			out = append(out, i)
		}
	}
	return out
}

// Align puts two lists side by side so that as few as possible stand alone: pairs of places, -1 where a list has nothing.
func Align(n, m int, same func(a, b int) bool) [][2]int {
	aligned, _ := align(n, m, same)
	out := make([][2]int, len(aligned))
	for i, p := range aligned {
		out[i] = [2]int{p.a, p.b}
	}
	return out
}
