package chart

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
)

// The typeface that the program carries has Latin, Greek and Cyrillic letters. Names in others are written, in pictures, with a typeface of the
// system, where one of those below is installed.
var (
	fontFolders = []string{
		"/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts", // Linux, BSD
		`C:\Windows\Fonts`, "/System/Library/Fonts", "/Library/Fonts",
	}
	// fontNames are the begins of names of files, those to prefer first.
	fontNames = []string{
		"notosanscjk", "notosanssc", "sourcehansans", "wqy-microhei", "wqy-zenhei", "droidsansfallback", "msyh", "simsun", "meiryo", "msgothic", "malgun", "pingfang",
		"hiragino", "applesdgothic", "notosansthai", "notosansdevanagari", "notosansarabic", "notosanshebrew", "leelawui", "nirmala", "segoeui", "arialuni", "dejavusans", "freesans",
	}
)

// systemFonts opens the typefaces of the system on first use. Files are read as far as letters are drawn.
var systemFonts = sync.OnceValue(func() (out []*opentype.Font) {
	type found struct {
		rank int
		path string
	}
	var files []found
	for _, dir := range fontFolders {
		if rest, ok := strings.CutPrefix(dir, "~/"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				continue
			}
			dir = filepath.Join(home, rest)
		}
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() { // what cannot be read is left out
				return nil
			}
			name := strings.ToLower(d.Name())
			if ext := filepath.Ext(name); ext != ".ttf" && ext != ".ttc" && ext != ".otf" && ext != ".otc" || strings.Contains(name, "bold") || strings.Contains(name, "italic") || strings.Contains(name, "oblique") {
				return nil
			}
			if rank := slices.IndexFunc(fontNames, func(n string) bool { return strings.HasPrefix(name, n) }); rank >= 0 {
				files = append(files, found{rank, path})
			}
			return nil
		})
	}
	slices.SortStableFunc(files, func(a, b found) int { return a.rank - b.rank })
	for _, x := range files {
		f, err := os.Open(x.path)
		if err != nil {
			continue
		}
		collection, err := opentype.ParseCollectionReaderAt(f)
		if err == nil && collection.NumFonts() > 0 {
			if first, err := collection.Font(0); err == nil {
				out = append(out, first) // the file stays open
				continue
			}
		}
		_ = f.Close()
	}
	return out
})

// faceFor is the typeface of a letter: that of the program, or one of the system that has it.
func (p *pen) faceFor(r rune, f font.Face) font.Face {
	if r < 0x250 || p.pixels == nil {
		return f
	}
	if other, ok := p.others[r]; ok {
		if other != nil {
			f.Face = other
		}
		return f
	}
	var buffer sfnt.Buffer
	var other *opentype.Font
	if own, err := f.Face.GlyphIndex(&buffer, r); err == nil && own == 0 {
		for _, s := range systemFonts() {
			if k, err := s.GlyphIndex(&buffer, r); err == nil && k != 0 {
				other = s
				break
			}
		}
	}
	p.others[r] = other
	if other != nil {
		f.Face = other
	}
	return f
}
