package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"metermanager/logdb"
)

// Mail is a letter that waits.
type Mail struct {
	ID      string
	Kind    string
	To      string
	Subject string
	Sealed  []byte
	Created logdb.Millis
	Tries   int
}

// Store keeps letters from the transaction that wrote them until they are sent.
type Store interface {
	DueMails(ctx context.Context, now logdb.Millis, limit int) ([]Mail, error)
	// MailSent takes the text away: it is no business of the node any more.
	MailSent(ctx context.Context, id string, at logdb.Millis) error
	// MailLater notes a try that failed; with failed it was the last one.
	MailLater(ctx context.Context, id string, due logdb.Millis, trouble string, failed bool) error
	// DropMails removes those that ended before.
	DropMails(ctx context.Context, before logdb.Millis) error
}

// Letters opens letters, and writes those that wait to be written.
type Letters interface {
	FulfilWishes(ctx context.Context) error
	// DropExpired removes links whose time is over.
	DropExpired(ctx context.Context) error
	OpenLetter(sealed []byte) (string, error)
}

// Sender hands a mail to a server. ErrRefused marks an answer that will not change.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Message is a mail in plain text.
type Message struct {
	ID, To, Subject, Text string
	At                    time.Time
}

// ErrRefused marks a mail that the server will never take.
var ErrRefused = errors.New("the mail server refuses the mail for good")

// Config sets an outbox. The zero value works.
type Config struct {
	// Every is how often the outbox looks for letters; 5 s by default.
	Every  time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// Outbox sends letters, one after the other. A mail may come twice when the node dies between the server's word and its own note; it
// has the same Message-ID then.
type Outbox struct {
	store   Store
	letters Letters
	sender  Sender // nil: letters wait
	cfg     Config
}

// New returns an outbox. Without a sender letters wait until there is one, for as long as they are tried.
func New(store Store, letters Letters, sender Sender, cfg Config) *Outbox {
	if cfg.Every <= 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Outbox{store, letters, sender, cfg}
}

// giveUp is how long a mail is tried, kept how long its line stays then.
const (
	giveUp = 48 * time.Hour
	kept   = 30 * 24 * time.Hour
)

// wait is how long after the nth try the next one is.
func wait(tries int) time.Duration {
	steps := []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}
	return steps[min(tries, len(steps)-1)]
}

// Run sends what is due until ctx ends.
func (o *Outbox) Run(ctx context.Context) error {
	tick := time.NewTicker(o.cfg.Every)
	defer tick.Stop()
	for {
		if err := o.Once(ctx); err != nil && ctx.Err() == nil {
			o.cfg.Logger.WarnContext(ctx, "look for mails", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Once sends what is due now.
func (o *Outbox) Once(ctx context.Context) error {
	if err := o.letters.FulfilWishes(ctx); err != nil {
		return fmt.Errorf("write the letters that wait to be written: %w", err)
	}
	if err := o.letters.DropExpired(ctx); err != nil {
		return fmt.Errorf("drop links whose time is over: %w", err)
	}
	now := logdb.MillisOf(o.cfg.Now())
	if err := o.store.DropMails(ctx, now-logdb.Millis(kept.Milliseconds())); err != nil {
		return fmt.Errorf("drop old mails: %w", err)
	}
	due, err := o.store.DueMails(ctx, now, 50)
	if err != nil {
		return fmt.Errorf("look for mails that are due: %w", err)
	}
	if o.sender == nil {
		return o.giveUp(ctx, due)
	}
	for _, m := range due {
		if err := o.send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// giveUp gives up the mails for which there was no server for as long as one is tried; the others wait on.
func (o *Outbox) giveUp(ctx context.Context, due []Mail) error {
	now := o.cfg.Now()
	for _, m := range due {
		if now.Sub(m.Created.Time()) < giveUp {
			continue
		}
		o.cfg.Logger.WarnContext(ctx, "gave up a mail: no mail server is set", "action", m.Kind)
		if err := o.store.MailLater(ctx, m.ID, logdb.MillisOf(now), "no mail server is set", true); err != nil {
			return fmt.Errorf("note that a mail was given up: %w", err)
		}
	}
	return nil
}

// send tries one mail and notes what came of it. Only a note that cannot be made is an error.
func (o *Outbox) send(ctx context.Context, m Mail) error {
	now := o.cfg.Now()
	err := o.try(ctx, m, now)
	switch {
	case err == nil:
		if err := o.store.MailSent(ctx, m.ID, logdb.MillisOf(now)); err != nil {
			return fmt.Errorf("note that a mail was sent: %w", err)
		}
		o.cfg.Logger.InfoContext(ctx, "sent a mail", "action", m.Kind, "attempt", m.Tries+1)
		return nil
	case ctx.Err() != nil:
		return nil // tried again at the next start
	}
	failed := errors.Is(err, ErrRefused) || now.Sub(m.Created.Time()) >= giveUp
	o.cfg.Logger.WarnContext(ctx, "cannot send a mail", "action", m.Kind, "attempt", m.Tries+1, "last", failed, "err", err)
	if err := o.store.MailLater(ctx, m.ID, logdb.MillisOf(now.Add(wait(m.Tries))), err.Error(), failed); err != nil {
		return fmt.Errorf("note that a mail was not sent: %w", err)
	}
	return nil
}

func (o *Outbox) try(ctx context.Context, m Mail, now time.Time) error {
	text, err := o.letters.OpenLetter(m.Sealed)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err) // the master key is another one: it will not open later
	}
	return o.sender.Send(ctx, Message{ID: m.ID, To: m.To, Subject: m.Subject, Text: text, At: now})
}
