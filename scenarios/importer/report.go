package importer

import (
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// Report is what there is to say of an import: whose boot it is, what was seen of each stage, what is missing and why
// that matters, and what else is to be told of the capture.
func (b *Boot) Report(d *Draft) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Capture : %s, %d messages in %s, frames %s\n", printable(filepath.Base(b.File)), len(b.Messages), b.lasted(), b.frames())
	fmt.Fprintf(&out, "Handset : %s\n", printable(b.Handset.String()))
	fmt.Fprintf(&out, "Profile : %s (%s); %d facts are the capture's\n\n", d.Base, printable(d.Why), len(d.Facts))
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STAGE\tSEEN\tMISSING\tWHY IT MATTERS")
	for _, a := range b.Account() {
		for i := range max(len(a.Seen), len(a.Missing)) {
			stage, seen, missing, why := "", "", "", ""
			if i == 0 {
				stage = string(a.Stage)
			}
			if i < len(a.Seen) {
				seen = printable(a.Seen[i])
			}
			if i < len(a.Missing) {
				missing, why = printable(a.Missing[i].What), a.Missing[i].Why
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", stage, seen, missing, why)
		}
	}
	table.Flush() // into memory
	lines := b.Remarks()
	for _, left := range d.Left {
		lines = append(lines, "No profile can say: "+left+".")
	}
	if len(lines) > 0 {
		out.WriteString("\n")
	}
	for _, line := range lines {
		fmt.Fprintf(&out, "- %s\n", printable(line))
	}
	return trimLines(out.String())
}

// trimLines takes the blanks off the ends of lines.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}
