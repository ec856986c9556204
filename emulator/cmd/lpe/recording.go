package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/wholefile"
	"github.com/phone-edition/lpe/scenarios/record"
)

// recording is the file of --record. The nil recording is none.
type recording struct {
	file     *wholefile.File
	recorder record.Recorder
	boot     record.Boot
	stay     bool
}

// openRecording makes sure that the file can be written, and has the run tell what goes into it.
func (f bootFlags) openRecording(o *rig.Options, outputs *report.Outputs) (*recording, error) {
	if f.record == "" {
		return nil, nil
	}
	file, err := wholefile.Create(f.record)
	if err != nil {
		return nil, lacking(err)
	}
	r := &recording{file: file, stay: f.stay, boot: record.Boot{
		File: f.record, Profile: f.profile, Lab: f.lab, User: labUser(o), Faults: o.Faults,
	}}
	if o.Flash != nil {
		held, err := o.Flash.Load()
		if err != nil {
			return nil, errors.Join(flashError(err), file.Discard())
		}
		r.boot.Warm = held.Memory().Certificate || held.Memory().Registrar
	}
	o.Decode = true
	o.Observers = append(slices.Clone(o.Observers), outputs.Mask.Observer(r.recorder.Observe))
	further := o.Further
	o.Further = func(ctx context.Context, run *rig.Run, result report.Result) (seen []report.Probe) {
		r.recorder.Apart(func() { seen = further(ctx, run, result) })
		return seen
	}
	return r, nil
}

// labUser is the lab's user with the number or login that signs in, else the first; where there is no lab that of the
// default one, which the scenario is run in.
func labUser(o *rig.Options) string {
	lab := o.Lab
	if lab == nil {
		var err error
		if lab, err = configs.LoadLab(defaultLab); err != nil {
			return ""
		}
	}
	for _, u := range lab.Users {
		if c := o.Credentials; c.User != "" && u.Login == c.User || c.Number != "" && slices.Contains(configs.LineNumbers(u.LineURI), c.Number) {
			return u.Name
		}
	}
	if len(lab.Users) == 0 {
		return ""
	}
	return lab.Users[0].Name
}

// write writes what was recorded. A boot that stayed ended with the time.
func (r *recording) write(result report.Result, took time.Duration) error {
	if r == nil {
		return nil
	}
	r.boot.Result = result
	if r.stay && result.Result == report.Success {
		r.boot.Stayed = took - time.Duration(result.Latency)
	}
	messages, lost := r.recorder.Messages()
	if _, err := r.file.Write(record.Scenario(r.boot, messages, lost)); err != nil {
		return err
	}
	err := r.file.Commit()
	r.file = nil
	return err
}

func (r *recording) discard() {
	if r != nil && r.file != nil {
		_ = r.file.Discard() // there is nothing in it
	}
}

// poolRecording is the file of pool serve --record. The nil one is none.
type poolRecording struct {
	file     *wholefile.File
	recorder record.Pool
	boot     record.Boot
}

func (f serveFlags) openRecording(o *rig.ServeOptions) (*poolRecording, error) {
	if f.record == "" {
		return nil, nil
	}
	file, err := wholefile.Create(f.record)
	if err != nil {
		return nil, lacking(err)
	}
	r := &poolRecording{file: file, boot: record.Boot{
		File: f.record, Lab: f.lab, User: labUser(&rig.Options{Lab: o.Lab}), Users: map[string]string{}, Pool: true,
	}}
	for _, u := range o.Lab.Users {
		r.boot.Users[strings.ToLower(u.SIPAddress)] = u.Name
	}
	o.Ear = r.recorder.Hear
	return r, nil
}

// write writes what was recorded.
func (r *poolRecording) write() error {
	if r == nil {
		return nil
	}
	mac, messages, lost, others := r.recorder.Handset()
	r.boot.Result.Handset.MAC, r.boot.Others = mac, others
	_, err := r.file.Write(record.Scenario(r.boot, messages, lost))
	if err == nil {
		err = r.file.Commit()
		r.file = nil
	}
	if err != nil {
		return lacking(err)
	}
	return nil
}

func (r *poolRecording) discard() {
	if r != nil && r.file != nil {
		_ = r.file.Discard() // there is nothing in it
	}
}
