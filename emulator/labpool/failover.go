package labpool

import (
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

// When a backup pool takes over, and when it gives back. The first is the default of Lync Server 2013 (handset.md §6,
// registrar failover), the second that of Skype for Business Server, whose first one is 120 s.
const (
	failoverAfter = 300 * time.Second // without a heartbeat of the primary pool
	failbackAfter = 240 * time.Second // with one again
)

// heartbeat is what the backup pool knows of the primary one.
type heartbeat struct {
	mu       sync.Mutex
	missing  bool
	since    time.Time // when it began to be missing, or to be there again
	inCharge bool      // the backup, as it found last
}

// beats tells whether there is a heartbeat now.
func (b *heartbeat) beats(there bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.look(now)
	if b.missing == there {
		b.missing, b.since = !there, now
	}
}

// takenOver reports whether the backup is in charge.
func (b *heartbeat) takenOver(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.look(now)
	return b.inCharge
}

func (b *heartbeat) look(now time.Time) {
	after := failbackAfter
	if b.missing {
		after = failoverAfter
	}
	if now.Sub(b.since) >= after {
		b.inCharge = b.missing
	}
}

// directed is where a Director sends endpoints: to the primary pool, and to the backup after that (sip.md §4.6).
func directed(primary, backup *registrar.Server) func() []registrar.Address {
	return func() []registrar.Address {
		home := []registrar.Address{primary.Addresses()}
		if backup != nil {
			home = append(home, backup.Addresses())
		}
		return home
	}
}

// awayFromBackup is where a backup sends endpoints: to the primary pool, unless it has taken over. That it redirects
// before it has, as it does once the primary is back, is inferred.
func (p *Pool) awayFromBackup(primary *registrar.Server) func() []registrar.Address {
	return func() []registrar.Address {
		if p.primary.takenOver(p.cfg.Now()) {
			return nil
		}
		return []registrar.Address{primary.Addresses()}
	}
}
