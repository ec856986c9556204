package ethernet

// Segment is a cable whose stations have an IP stack of their own (gVisor's netstack). It needs no privilege and no
// socket of the computer. It does not run in virtual time; a [Pipe] does.
type Segment struct{ on *accessSwitch }

var _ Cable = (*Segment)(nil)

// NewSegment returns a segment without stations. Close frees it.
func NewSegment(o Options) *Segment { return &Segment{newAccessSwitch(o)} }

// Join implements [Cable]. The name must be new on this cable.
func (s *Segment) Join(c StationConfig) (Station, error) { return join(s.on, c, false, newNetstack) }

// JoinSwitch plugs in the station that is the switch itself: link-local group frames (LLDP) of every port come to it,
// and its own go to every port. There is one on a cable at most.
func (s *Segment) JoinSwitch(c StationConfig) (Station, error) {
	return join(s.on, c, true, newNetstack)
}

// SetCarrier gives the port of the named station link or takes it away, now or when it joins.
func (s *Segment) SetCarrier(station string, up bool) { s.on.setCarrier(station, up) }

// Counters returns what became of the frames so far.
func (s *Segment) Counters() Counters { return s.on.count() }

// Close implements [Cable].
func (s *Segment) Close() error { return s.on.close() }
