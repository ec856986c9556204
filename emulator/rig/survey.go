package rig

import (
	"context"
	"errors"
	"sync"

	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
)

// Survey does of a boot what has to do with DHCP and tells what was asked and answered. Nothing is signed in. The
// Timeout of o bounds it.
func Survey(ctx context.Context, o Options) (report.Survey, error) {
	var mu sync.Mutex
	var packets []report.DHCPPacket
	o.dhcp = func(d handset.DHCPDatagram) {
		mu.Lock()
		defer mu.Unlock()
		packets = append(packets, report.DHCPPacket{
			At: d.At, Sent: d.Sent, From: d.Src.Addr(), To: d.Dst.Addr(), Payload: append([]byte(nil), d.Payload...),
		})
	}
	run, err := Start(o)
	if err != nil {
		return report.Survey{}, err
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	if err = run.PowerOn(); err == nil {
		err = run.Handset.Survey(ctx)
	}
	if err := errors.Join(err, run.Close()); err != nil {
		return report.Survey{}, err
	}
	mu.Lock()
	defer mu.Unlock()
	return report.NewSurvey(packets), nil
}
