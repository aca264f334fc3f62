package backup

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// ageMagic is how an encrypted file begins.
const ageMagic = "age-encryption.org/"

// Seal encrypts what is written with a passphrase, in the age format, which other programs open too. Without a
// passphrase it passes everything on as it is. Close writes the end.
func Seal(w io.Writer, passphrase string) (io.WriteCloser, error) {
	if passphrase == "" {
		return nopCloser{w}, nil
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("take the passphrase: %w", err)
	}
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return nil, fmt.Errorf("begin to encrypt: %w", err)
	}
	return sealed, nil
}

type nopCloser struct{ io.Writer }

// Close does nothing.
func (nopCloser) Close() error { return nil }

// unseal opens what Seal wrote; files that are not encrypted pass.
func unseal(r io.Reader, passphrase string) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	begin, err := b.Peek(len(ageMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the backup: %w", err)
	}
	if string(begin) != ageMagic {
		return b, nil
	}
	if passphrase == "" {
		return nil, fmt.Errorf("%w: give it with --passphrase-file FILE, or - for standard input", ErrPassphrase)
	}
	as, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("take the passphrase: %w", err)
	}
	as.SetMaxWorkFactor(20)
	plain, err := age.Decrypt(b, as)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return nil, fmt.Errorf("%w: %w", ErrPassphrase, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return plain, nil
}
