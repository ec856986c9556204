package registrar

// Bounds for tests.
const (
	MaxStrangers = maxStrangers
	MaxOfUser    = maxOfUser
	MessageTime  = messageTime
)
