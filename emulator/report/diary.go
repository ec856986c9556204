package report

import (
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/phone-edition/lpe/emulator/timeline"
)

// NewDiary returns a logger that writes dated lines for people, level and text first.
func NewDiary(w io.Writer) *zap.Logger {
	encoding := zap.NewDevelopmentEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339TimeEncoder
	encoding.CallerKey, encoding.StacktraceKey = "", ""
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(encoding), zapcore.Lock(zapcore.AddSync(w)), zapcore.InfoLevel))
}

// Diary returns an observer that writes down what happens to a party that runs long: transitions, diagnoses, what is
// dropped, what is unknown and what is worth a note. Messages that are as they should be are left out; there is no end of them.
func Diary(logger *zap.Logger) func(timeline.Observation) {
	return func(o timeline.Observation) {
		fields := make([]zap.Field, 0, 4)
		for _, f := range []timeline.Field{
			{Name: "state", Value: string(o.State)},
			{Name: "protocol", Value: o.Protocol},
			{Name: "peer", Value: o.Peer},
			{Name: "code", Value: o.Code},
		} {
			if f.Value != "" {
				fields = append(fields, zap.String(f.Name, f.Value))
			}
		}
		switch o.Kind {
		case timeline.Diagnosis, timeline.Dropped, timeline.Unknown:
			logger.Warn(o.Text, fields...)
		case timeline.Transition, timeline.Note:
			logger.Info(o.Text, fields...)
		}
	}
}
