package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/labpool/manage"
	"github.com/phone-edition/lpe/emulator/report"
)

// poolManageCommands are those that ask a running pool by its management API.
func poolManageCommands(sys system) []*cobra.Command {
	m := manager{sys}
	return []*cobra.Command{
		m.users(), m.user(), m.pin(), m.setPIN(), m.unlock(), m.enable(), m.disable(),
		m.registrar(), m.webServices(), m.registrations(), m.certificates(), m.history(), m.fault(),
		m.await(), m.deregister(), m.notify(),
	}
}

// manager makes the commands.
type manager struct{ sys system }

// asked is what a command does with the pool. What it returns is printed, nil is not.
type asked func(ctx context.Context, pool *manage.Client, args []string) (any, error)

const ofUser = " USER is a SIP address, a phone number, an extension or a login."

// command makes a command that asks a pool, with min to max arguments.
func (m manager) command(use, short, long, example string, min, max int, do asked) *cobra.Command {
	return m.printing(use, short, long, example, min, max, do, report.WriteObjectsList)
}

func (m manager) printing(use, short, long, example string, min, max int, do asked, list writer) *cobra.Command {
	var ready, output string
	c := command(use, short, long, example, func(c *cobra.Command, args []string) error {
		print, ok := map[string]writer{"list": list, "json": report.WriteObjectsJSON}[output]
		if !ok {
			return usage("-o takes list or json, not %q", output)
		}
		pool, err := m.pool(ready)
		if err != nil {
			return err
		}
		value, err := do(c.Context(), pool, args)
		if err != nil {
			return poolError(c.Context(), err)
		}
		if value == nil {
			return nil
		}
		return print(m.sys.out, value)
	})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) < min || len(args) > max {
			return usage("%s does not take %d arguments", c.UseLine(), len(args))
		}
		return nil
	}
	c.Flags().StringVar(&ready, "pool", "", "ready file of the pool (default: the variable LPE_POOL)")
	c.Flags().StringVarP(&output, "output", "o", "list", "list or json")
	return c
}

// pool is the client of the pool that the ready file describes.
func (m manager) pool(path string) (*manage.Client, error) {
	if path == "" {
		path = m.sys.env("LPE_POOL")
	}
	if path == "" {
		return nil, usage("which pool? give --pool or the variable LPE_POOL the file that 'lpe pool serve --ready-file' writes")
	}
	ready, err := manage.ReadReady(path)
	var file *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, lacking(fmt.Errorf("no pool is ready: %w", err))
	case errors.As(err, &file):
		return nil, lacking(err)
	case err != nil:
		return nil, usage("--pool: %w", err)
	}
	return manage.NewClient(ready), nil
}

// poolError tells what was asked wrong, what the pool could not do, and a pool that does not answer.
func poolError(ctx context.Context, err error) error {
	var p *manage.Problem
	var none *manage.NoAnswerError
	switch {
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	case errors.As(err, &none):
		return lacking(err)
	case !errors.As(err, &p):
		return err // of usage
	}
	switch p.Code {
	case manage.CodeNotReached, manage.CodeNotRegistered, manage.CodeNotSubscribed, manage.CodeNoAssociation, manage.CodeNoAnswer,
		manage.CodeOtherAnswer, manage.CodeInternal:
		return &exitError{code: exitFailed, err: p}
	}
	return usage("%w", p)
}

func (m manager) users() *cobra.Command {
	return m.command("users", "List the users of a pool", "users prints SIP address, line and state of each user.",
		"  lpe pool users --pool pool.json", 0, 0,
		func(ctx context.Context, pool *manage.Client, _ []string) (any, error) { return pool.Users(ctx) })
}

func (m manager) user() *cobra.Command {
	return m.command("user USER", "Print a user of a pool", "user prints what Get-CsUser does: SipAddress, LineUri, Enabled."+ofUser,
		"  lpe pool user 1219 --pool pool.json", 1, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.User(ctx, args[0])
		})
}

func (m manager) pin() *cobra.Command {
	return m.command("pin USER", "Print the state of a user's PIN",
		"pin prints what Get-CsClientPinInfo does: IsPinSet, IsLockedOut, LastPinChange, PinExpirationTime. Nobody can print the PIN."+ofUser,
		"  lpe pool pin 1219 --pool pool.json", 1, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.PinInfo(ctx, args[0])
		})
}

func (m manager) setPIN() *cobra.Command {
	var file string
	c := m.command("set-pin USER", "Give a user another PIN",
		"set-pin does what Set-CsClientPin does; the PIN must meet the lab's PIN policy. It is read from --pin-file, asked on the terminal, or else read from standard input, and printed nowhere."+ofUser,
		"  lpe pool set-pin 1219 --pin-file pin --pool pool.json", 1, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			pin, err := newPIN(ctx, m.sys, file)
			if err != nil {
				return nil, err
			}
			return pool.SetPin(ctx, args[0], pin)
		})
	c.Flags().StringVar(&file, "pin-file", "", "file that holds the PIN; refused if others can read it")
	return c
}

func (m manager) unlock() *cobra.Command {
	return m.command("unlock USER", "Unlock a user's PIN", "unlock does what Unlock-CsClientPin does."+ofUser,
		"  lpe pool unlock 1219 --pool pool.json", 1, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.Unlock(ctx, args[0])
		})
}

func (m manager) enable() *cobra.Command {
	return m.command("enable USER", "Let a user sign in", "enable does what Enable-CsUser does."+ofUser,
		"  lpe pool enable 1219 --pool pool.json", 1, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.Enable(ctx, args[0])
		})
}

func (m manager) disable() *cobra.Command {
	return m.command("disable USER", "Keep a user out",
		"disable does what Disable-CsUser does: the user's next request is refused. See 'lpe pool deregister' to end what is registered."+ofUser,
		"  lpe pool disable 1219 --pool pool.json", 1, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.Disable(ctx, args[0])
		})
}
