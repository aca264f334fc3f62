package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// maxFiles bounds the files of a backup.
const maxFiles = 10_000_000

// Read reads a backup from beginning to end, hands every file to visit, and compares it with the manifest. visit need
// not read all of a file. Nothing of the file may be trusted before Read has returned without an error.
func Read(ctx context.Context, r io.Reader, passphrase string, visit func(name string, size int64, r io.Reader) error) (Manifest, error) {
	plain, err := unseal(r, passphrase)
	if err != nil {
		return Manifest{}, err
	}
	unpacked, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return Manifest{}, fmt.Errorf("read the backup: %w", err)
	}
	defer unpacked.Close()
	d := &reading{ctx: ctx, tar: tar.NewReader(unpacked), visit: visit}
	if err := d.begin(); err != nil {
		return Manifest{}, err
	}
	for d.manifest == nil {
		if err := d.next(); err != nil {
			return Manifest{}, err
		}
	}
	// What follows the manifest belongs to no backup.
	if _, err := d.tar.Next(); !errors.Is(err, io.EOF) {
		return Manifest{}, fmt.Errorf("%w: something follows its end (%v)", ErrDamaged, err)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(unpacked, 1<<20)); err != nil || n == 1<<20 {
		return Manifest{}, fmt.Errorf("%w: after its end (%w)", ErrDamaged, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return *d.manifest, d.compare()
}

// reading is the state of Read.
type reading struct {
	ctx      context.Context // of Read
	tar      *tar.Reader
	visit    func(string, int64, io.Reader) error
	head     Head
	files    []File
	manifest *Manifest
}

func (d *reading) begin() error {
	h, err := d.tar.Next()
	if err != nil || h.Name != headName {
		return errors.Join(ErrNotBackup, err)
	}
	if err := d.document(&d.head, h.Size); err != nil {
		return errors.Join(ErrNotBackup, err)
	}
	switch {
	case d.head.Program != "metermanager" || d.head.Format < 1:
		return ErrNotBackup
	case d.head.Format > Format:
		return fmt.Errorf("%w: format %d of version %s, this program knows %d", ErrNewer, d.head.Format, d.head.Version, Format)
	}
	return nil
}

func (d *reading) next() error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	h, err := d.tar.Next()
	if err != nil {
		return broken(err)
	}
	if h.Typeflag != tar.TypeReg || h.Size < 0 || len(d.files) >= maxFiles {
		return fmt.Errorf("%w: entry %q is no file", ErrDamaged, h.Name)
	}
	if h.Name == manifestName {
		d.manifest = new(Manifest)
		return d.document(d.manifest, h.Size)
	}
	if err := checkName(h.Name); err != nil {
		return err
	}
	sum := sha256.New()
	body := io.TeeReader(d.tar, sum)
	watched := &readErrors{r: body}
	if err := d.visit(h.Name, h.Size, watched); err != nil {
		if watched.err != nil {
			return broken(watched.err)
		}
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return broken(err)
	}
	d.files = append(d.files, File{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// readErrors remembers why reading failed, so that it is not taken for the failure of a write.
type readErrors struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (r *readErrors) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

func (d *reading) document(into any, size int64) error {
	if size > maxDocument {
		return fmt.Errorf("%w: a document of %d bytes", ErrDamaged, size)
	}
	text, err := io.ReadAll(d.tar)
	if err != nil {
		return broken(err)
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// broken says what an error of reading means.
func broken(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrUnfinished
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// compare holds the files against the manifest.
func (d *reading) compare() error {
	if d.manifest.Head != d.head {
		return fmt.Errorf("%w: beginning and end are of different backups", ErrDamaged)
	}
	if !slices.Equal(d.manifest.Files, d.files) {
		for i, f := range d.files {
			if i >= len(d.manifest.Files) || d.manifest.Files[i] != f {
				return fmt.Errorf("%w: %s is not as it was written", ErrDamaged, f.Name)
			}
		}
		return fmt.Errorf("%w: files are missing", ErrDamaged)
	}
	for _, name := range []string{metaName, logsName} {
		if !slices.ContainsFunc(d.files, func(f File) bool { return f.Name == name }) {
			return fmt.Errorf("%w: %s is missing", ErrDamaged, name)
		}
	}
	return nil
}
