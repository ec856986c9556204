package configs

// Fault is one entry of faults.yaml, the one list of faults.
type Fault struct {
	Name        string // stage=kind
	Parameter   string // "", "duration" or "times"
	Description string // one sentence
	Code        string // failure code it must give, empty if the handset boots
	Warning     string // warning code of a boot that succeeds
	Lab         string // the lab it needs, empty: litware
	Source      string
}
