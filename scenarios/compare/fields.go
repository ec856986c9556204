package compare

import (
	"regexp"
	"slices"

	"github.com/phone-edition/lpe/emulator/exchange"
)

// fields compares the fields of two messages: which there are, what they say, in what order they stand.
func (c *comparison) fields(a, b item) {
	left, right := c.shown(a.message), c.shown(b.message)
	renumber(left, right)
	at := make(map[string]int, len(right))
	for i, f := range right {
		at[f.Name] = i
	}
	var both []int // places in right of the fields that both have, in the order of left
	var names []string
	have := make(map[string]bool, len(left))
	for _, f := range left {
		have[f.Name] = true
		i, ok := at[f.Name]
		if !ok {
			c.add(FieldMissing, a, b, f.Name, f.Value, "")
			continue
		}
		both, names = append(both, i), append(names, f.Name)
		if g := right[i]; f.Value != g.Value && f.Origin == "" && g.Origin == "" {
			c.add(FieldChanged, a, b, f.Name, f.Value, g.Value)
		}
	}
	for _, f := range right {
		if !have[f.Name] {
			c.add(FieldAdded, a, b, f.Name, "", f.Value)
		}
	}
	for _, n := range outOfOrder(both) {
		c.add(FieldOrder, a, b, names[n], behind(left, names[n]), behind(right, names[n]))
	}
}

func (c *comparison) shown(m *exchange.Message) []exchange.Field {
	out := slices.Clone(m.Fields)
	for i := range out {
		if out[i].Origin == "" {
			out[i].Value = c.masks.value(m, out[i].Name, out[i].Value)
		}
	}
	return out
}

// behind says where a field stands.
func behind(list []exchange.Field, name string) string {
	i := slices.IndexFunc(list, func(f exchange.Field) bool { return f.Name == name })
	if i == 0 {
		return "the first"
	}
	return "after " + list[i-1].Name
}

var numbered = regexp.MustCompile(`^(.+)\[\d+\]$`)

// renumber gives the fields of right that come several times, as Supported and Supported[2] do, the names of those of left
// that say the same, so that one that is missing among them is no change of all behind it.
func renumber(left, right []exchange.Field) {
	base := func(name string) string {
		if found := numbered.FindStringSubmatch(name); found != nil {
			return found[1]
		}
		return name
	}
	places := func(list []exchange.Field) map[string][]int {
		out := map[string][]int{}
		for i, f := range list {
			out[base(f.Name)] = append(out[base(f.Name)], i)
		}
		return out
	}
	l, r := places(left), places(right)
	for name, inRight := range r {
		inLeft := l[name]
		if len(inLeft) == len(inRight) || len(inLeft) == 0 {
			continue
		}
		pairs, ok := align(len(inLeft), len(inRight), func(a, b int) bool { return left[inLeft[a]].Value == right[inRight[b]].Value })
		if !ok {
			continue
		}
		given := map[int]string{}
		taken := map[string]bool{}
		for _, p := range pairs {
			if p.a >= 0 && p.b >= 0 {
				given[p.b] = left[inLeft[p.a]].Name
				taken[given[p.b]] = true
			}
		}
		for _, i := range inLeft {
			taken[left[i].Name] = true
		}
		for b, i := range inRight {
			if given[b] != "" {
				right[i].Name = given[b]
			} else if taken[right[i].Name] {
				right[i].Name += " (another)"
			}
		}
	}
}
