package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"

	"metermanager/logdb/sqldb"
)

// Source is a node that is backed up. Data, Meta and Logs must be set.
type Source struct {
	Data       string // the data folder
	Meta, Logs *sqldb.DB
	// Config is the configuration that the node runs with, as text; it holds no secrets.
	Config          []byte
	Version, Commit string
	// OmitKey leaves the master key out.
	OmitKey bool
	Now     func() time.Time
	Logger  *slog.Logger
}

// Write writes a backup: a tar, packed with zstd. The node goes on working. Both databases are of one and the same
// moment, so that what the sync knows of a journal and the journal itself agree as they would after a crash.
func Write(ctx context.Context, w io.Writer, s Source) (m Manifest, err error) {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	images, err := sqldb.Pin(ctx, s.Meta, s.Logs)
	if err != nil {
		return m, err
	}
	defer func() {
		for _, image := range images {
			_ = image.Close() // it only reads
		}
	}()
	// Archive files that are replaced from now on are still needed: the databases of this moment name them.
	files, err := gather(s)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, files.release()) }()
	node, _ := os.Hostname() // for people only
	m = Manifest{
		Head:      Head{Format, "metermanager", s.Version, s.Commit, s.Now().UTC().Truncate(time.Second), node, files.hasKey},
		Databases: map[string]Database{}, LeftOut: files.leftOut, Files: []File{},
	}
	packer, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return m, fmt.Errorf("begin a backup: %w", err)
	}
	b := &builder{ctx: ctx, tar: tar.NewWriter(packer), m: &m}
	if err := b.build(s, images, files); err != nil {
		return m, fmt.Errorf("write a backup: %w", err)
	}
	if err := errors.Join(b.tar.Close(), packer.Close()); err != nil {
		return m, fmt.Errorf("end a backup: %w", err)
	}
	return m, nil
}

// builder writes the entries of a backup.
type builder struct {
	ctx context.Context // of Write
	tar *tar.Writer
	m   *Manifest
}

func (b *builder) build(s Source, images []*sqldb.Image, files *gathered) error {
	if err := b.document(headName, b.m.Head); err != nil {
		return err
	}
	for i, name := range []string{metaName, logsName} {
		if err := b.database(name, images[i]); err != nil {
			return err
		}
		if err := images[i].Close(); err != nil { // its WAL may be taken up from here on
			return err
		}
	}
	if len(s.Config) > 0 {
		err := b.add(effectiveName, int64(len(s.Config)), func(w io.Writer) error {
			_, err := w.Write(s.Config)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, f := range files.files {
		if err := b.file(f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return b.document(manifestName, b.m)
}

func (b *builder) database(name string, image *sqldb.Image) (err error) {
	var d Database
	if d.Versions, err = image.Versions(b.ctx); err != nil {
		return err
	}
	if d.Rows, err = image.Counts(b.ctx); err != nil {
		return err
	}
	b.m.Databases[name] = d
	return b.add(name, image.Size(), func(w io.Writer) error { return image.Copy(b.ctx, w) })
}

// file adds a file with the length that it has now.
func (b *builder) file(g gatheredFile) error {
	f, err := os.Open(g.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return b.add(g.name, info.Size(), func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(f, info.Size()))
		if err == nil && n != info.Size() {
			err = fmt.Errorf("it became shorter while it was read: %w", io.ErrUnexpectedEOF)
		}
		return err
	})
}

// add adds an entry and notes it in the manifest.
func (b *builder) add(name string, size int64, body func(io.Writer) error) error {
	if err := b.head(name, size); err != nil {
		return err
	}
	sum := summed{ctx: b.ctx, w: b.tar, hash: sha256.New()}
	if err := body(&sum); err != nil {
		return err
	}
	b.m.Files = append(b.m.Files, File{name, size, hex.EncodeToString(sum.hash.Sum(nil))})
	return nil
}

// document adds a document that the manifest does not list.
func (b *builder) document(name string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	if err := b.head(name, int64(len(text))); err != nil {
		return err
	}
	_, err = b.tar.Write(text)
	return err
}

func (b *builder) head(name string, size int64) error {
	return b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: b.m.Created, Format: tar.FormatPAX})
}

// summed passes on and sums up, until ctx ends.
type summed struct {
	ctx  context.Context
	w    io.Writer
	hash hash.Hash
}

// Write implements io.Writer.
func (s *summed) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	s.hash.Write(p) // never fails
	return s.w.Write(p)
}
