package probe_test

import (
	"context"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

func inspected(t *testing.T, o rig.Options, s probe.Subject) report.Inspection {
	t.Helper()
	got, err := probe.Inspect(context.Background(), o, s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func inspectionText(t *testing.T, i report.Inspection) string {
	t.Helper()
	var b strings.Builder
	if err := report.WriteInspection(&b, i); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestX(t *testing.T) {
	for lab, fqdn := range map[string]string{"litware": pool, "contoso": "lyncpool.contoso.com"} {
		virtual(t, lab, func(t *testing.T, o rig.Options) {
			t.Log(inspectionText(t, inspected(t, o, probe.Subject{Registrar: fqdn})))
		})
	}
}
