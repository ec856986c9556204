package report_test

import (
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/report"
)

func TestBar(t *testing.T) {
	var out strings.Builder
	bar := report.NewBar(&out, 3)
	bar.Add(false)
	bar.Add(true)
	bar.Add(false)
	bar.End()
	const want = "\r[..............................] 0/3, 0 failed" +
		"\r[##########....................] 1/3, 0 failed" +
		"\r[####################..........] 2/3, 1 failed" +
		"\r[##############################] 3/3, 1 failed\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
	var none *report.Bar
	none.Add(true)
	none.End()
}
