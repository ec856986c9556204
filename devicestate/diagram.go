package devicestate

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Names of the pseudo states in diagrams.
var pseudo = map[State]string{Any: "any state with power", Origin: "the state it came from"}

// Mermaid returns the transition table as a Mermaid state diagram.
func Mermaid() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	fmt.Fprintf(&b, "    state %q as AnyState\n    state %q as Origin\n", pseudo[Any], pseudo[Origin])
	fmt.Fprintf(&b, "    [*] --> %s\n", PoweredOff)
	for _, row := range table {
		fmt.Fprintf(&b, "    %s --> %s : %s\n", mermaidID(row.From), mermaidID(row.target()), row.label())
	}
	return b.String()
}

func mermaidID(s State) string {
	switch s {
	case Any:
		return "AnyState"
	case Origin:
		return "Origin"
	}
	return string(s)
}

// DOT returns the transition table as a Graphviz digraph.
func DOT() string {
	var b strings.Builder
	b.WriteString("digraph boot {\n    rankdir=TB;\n    node [shape=box, style=rounded];\n")
	for _, s := range States() {
		label := string(s)
		if stage := s.Stage(); stage != "" {
			label += "\n" + string(stage)
		}
		fmt.Fprintf(&b, "    %s [label=%q];\n", s, label)
	}
	fmt.Fprintf(&b, "    %q [label=%q, style=dashed];\n    %q [label=%q, style=dashed];\n", Any, pseudo[Any], Origin, pseudo[Origin])
	for _, row := range table {
		fmt.Fprintf(&b, "    %s -> %s [label=%q];\n", dotID(row.From), dotID(row.target()), row.label())
	}
	b.WriteString("}\n")
	return b.String()
}

func dotID(s State) string {
	if pseudo[s] != "" {
		return fmt.Sprintf("%q", string(s))
	}
	return string(s)
}

// Table returns states and transitions as aligned text.
func Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATE\tSTAGE\tTIMER\tDOES")
	for _, s := range States() {
		info := Info(s)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s, dash(string(info.Stage)), dash(info.Timer), dash(info.Does))
	}
	w.Flush()
	b.WriteByte('\n')
	fmt.Fprintln(w, "FROM\tEVENT\tWHEN\tTO\tEFFECTS\tSOURCE")
	for _, row := range table {
		when := "-"
		if row.When != nil {
			when = row.When.Name
		}
		to := string(row.target())
		if row.Reason != "" {
			to += " (" + string(row.Reason) + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", row.From, row.On, when, to, dash(effectNames(row.Effects)), row.Source)
	}
	w.Flush()
	return b.String()
}

func (r *Row) target() State {
	if r.To == Same {
		return r.From
	}
	return r.To
}

func (r *Row) label() string {
	if r.When == nil {
		return string(r.On)
	}
	return fmt.Sprintf("%s [%s]", r.On, r.When.Name)
}

func effectNames(effects []Effect) string {
	names := make([]string, len(effects))
	for i, e := range effects {
		names[i] = string(e)
	}
	return strings.Join(names, ", ")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
