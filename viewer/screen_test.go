package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shotsDir is where pictures of the tests lie, for people to look at: build output.
const shotsDir = "../bin/screenshots"

// patience is how long anything may take on a busy machine before a test gives up.
const patience = 60 * time.Second

// screen is an X server in memory.
type screen struct {
	t       testing.TB
	display string
	folder  string // of the frame buffer
}

// needs skips a test on a machine that cannot show windows; "make test" installs what is missing as root on Debian.
func needs(t testing.TB) {
	t.Helper()
	for _, name := range []string{"Xvfb", "xdotool", "gcc", "pkg-config"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: tools/desktoptools.sh test installs it", name)
		}
	}
	if testing.Short() {
		t.Skip("starts a window")
	}
}

func newScreen(t testing.TB, width, height int) *screen {
	t.Helper()
	s := &screen{t: t, folder: t.TempDir()}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp", "-fbdir", s.folder)
	c.ExtraFiles = []*os.File{w}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb did not start: %v", err)
	}
	s.display = ":" + strings.TrimSpace(line)
	return s
}

// do runs xdotool.
func (s *screen) do(args ...string) {
	s.t.Helper()
	c := exec.Command("xdotool", args...)
	c.Env = append(os.Environ(), "DISPLAY="+s.display)
	if out, err := c.CombinedOutput(); err != nil {
		s.t.Fatalf("xdotool %s: %v %s", strings.Join(args, " "), err, out)
	}
}

// drag presses at one place and lets go at another. The steps between are what makes it a drag.
func (s *screen) drag(x0, y0, x1, y1 float64) {
	at := func(f float64) (string, string) {
		return strconv.Itoa(int(x0 + f*(x1-x0))), strconv.Itoa(int(y0 + f*(y1-y0)))
	}
	x, y := at(0)
	args := []string{"mousemove", x, y, "sleep", "0.1", "mousedown", "1"}
	for _, f := range []float64{0.1, 0.3, 0.5, 0.7, 0.9, 1} {
		x, y = at(f)
		args = append(args, "mousemove", x, y, "sleep", "0.05")
	}
	s.do(append(args, "sleep", "0.1", "mouseup", "1")...)
}

// palette carries out the first line that a text finds.
func (s *screen) palette(p *program, text string) {
	s.t.Helper()
	s.do("key", "ctrl+k")
	p.until("the palette", func(x *state) bool { return x.Dialog })
	s.do("type", "--delay", "25", text)
	s.do("key", "Return")
	p.until("the palette gone", func(x *state) bool { return !x.Dialog })
}

func (s *screen) click(x, y float64) {
	s.do("mousemove", strconv.Itoa(int(x)), strconv.Itoa(int(y)), "sleep", "0.15", "mousedown", "1", "sleep", "0.05", "mouseup", "1")
}

// picture reads the frame buffer, an XWD file that the X server writes into.
func (s *screen) picture() *image.RGBA {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.folder, "Xvfb_screen0"))
	if err != nil {
		s.t.Fatal(err)
	}
	field := func(n int) int { return int(binary.BigEndian.Uint32(b[4*n:])) }
	head, width, height, stride, colors := field(0), field(4), field(5), field(12), field(19)
	pixels := b[head+12*colors:]
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			p := pixels[y*stride+4*x:]
			img.SetRGBA(x, y, color.RGBA{p[2], p[1], p[0], 255})
		}
	}
	return img
}

// save keeps a picture for people and fails when a part of it that must show something stays blank. The window is painted at its own pace,
// up to some frames after it said what it shows.
func (s *screen) save(name string, part [4]float64) {
	s.t.Helper()
	r := image.Rect(int(part[0]), int(part[1]), int(part[0]+part[2]), int(part[1]+part[3]))
	var img *image.RGBA
	n := 0
	for try := 0; try < 50 && n < 40; try++ {
		s.do("sleep", "0.2")
		img = s.picture()
		n = colours(img, r)
	}
	savePNG(s.t, name, img)
	if n < 40 {
		s.t.Errorf("%s: only %d colours in %v: it is blank", name, n, r)
	}
}

func savePNG(t testing.TB, name string, img image.Image) {
	t.Helper()
	if err := os.MkdirAll(shotsDir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(shotsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, img), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// colours counts the colours in a part of a picture.
func colours(img image.Image, r image.Rectangle) int {
	seen := map[color.Color]bool{}
	r = r.Intersect(img.Bounds())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			seen[img.At(x, y)] = true
		}
	}
	return len(seen)
}

// viewerBinary is the real program, built once.
var viewerBinary = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs("../bin/test/metermanager-viewer")
	if err != nil {
		return "", err
	}
	// The flags are those of "make desktop", so that what C compiled is used again.
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "migrated_fynedo", "-o", path, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the viewer: %w\n%s", err, out)
	}
	return path, nil
})

func binaryOf(t testing.TB) string {
	t.Helper()
	path, err := viewerBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// state is what -trace prints.
type state struct {
	View     string            `json:"view"`
	Sources  map[string]string `json:"sources"`
	Meters   int               `json:"meters"`
	Shown    int               `json:"shown"`
	Events   int               `json:"events"`
	Selected int               `json:"selected"`
	Recorded bool              `json:"recorded"`
	Boxed    bool              `json:"boxed"`
	Wave     string            `json:"wave"`
	Trend    string            `json:"trend"`
	Week     string            `json:"week"`
	Now      string            `json:"now"`
	Paused   bool              `json:"paused"`
	Dark     bool              `json:"dark"`
	Compare  string            `json:"compare"`
	Sorted   int               `json:"sorted"`
	Span     [2]float64        `json:"span"`
	A, B     *float64
	Busy     bool       `json:"busy"`
	Dialog   bool       `json:"dialog"`
	Drawn    int        `json:"drawn"`
	Window   [2]float64 `json:"window"`
	Plot     [4]float64 `json:"plot"`
	List     [4]float64 `json:"list"`
	Head     [4]float64 `json:"head"`
	Search   [4]float64 `json:"search"`
}

// program is a viewer that runs in a window.
type program struct {
	t      testing.TB
	screen *screen
	lines  chan string
	now    state
	log    strings.Builder
	stop   func()
}

// run starts the viewer in a window at 0, 0 (there is no window manager) and gives it the keyboard.
func run(t testing.TB, s *screen, env []string, args ...string) *program {
	t.Helper()
	return runViewer(t, s, env, append([]string{"-trace"}, args...)...)
}

func runViewer(t testing.TB, s *screen, env []string, args ...string) *program {
	t.Helper()
	c := exec.Command(binaryOf(t), args...)
	c.Env = append(append(os.Environ(), "DISPLAY="+s.display, "FYNE_SCALE=1", "LANG=en_US.UTF-8", "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir()), env...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, screen: s, lines: make(chan string, 10_000)}
	c.Stderr = &p.log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(p.lines)
		scan := bufio.NewScanner(out)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			p.lines <- scan.Text()
		}
	}()
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			_ = c.Process.Signal(syscall.SIGTERM)
			<-done
			_ = c.Wait()
		})
	}
	t.Cleanup(func() {
		p.stop()
		for _, bad := range []string{"panic", "Fyne call thread", "fatal error"} {
			if strings.Contains(p.log.String(), bad) {
				t.Errorf("the viewer wrote:\n%s", p.log.String())
			}
		}
	})
	p.line("ready", func(l string) bool { return l == "ready" })
	s.do("search", "--sync", "--name", "Meter Manager log viewer", "windowfocus")
	return p
}

// line waits for a line of the program.
func (p *program) line(what string, want func(string) bool) string {
	p.t.Helper()
	over := time.After(patience)
	for {
		select {
		case l, open := <-p.lines:
			if !open {
				p.t.Fatalf("the viewer ended before: %s\n%s", what, p.log.String())
			}
			if text, ok := strings.CutPrefix(l, "state "); ok {
				p.now = state{}
				if err := json.Unmarshal([]byte(text), &p.now); err != nil {
					p.t.Fatal(err)
				}
			}
			if want(l) {
				return l
			}
		case <-over:
			p.t.Fatalf("waited in vain for: %s; now %+v\n%s", what, p.now, p.log.String())
		}
	}
}

// until waits until the window is in a state. What it is in already counts.
func (p *program) until(what string, want func(*state) bool) {
	p.t.Helper()
	if want(&p.now) {
		return
	}
	p.line(what, func(string) bool { return want(&p.now) })
}

// demonstration is a running demo.
type demonstration struct {
	Site struct {
		URL, User, Password, Data string
		PID                       int
	}
	stop func()
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startDemo starts the demonstration and waits until the site has all history.
func startDemo(t testing.TB, history string) *demonstration {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "metermanager")
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "../service")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the service: %v\n%s", err, out)
	}
	dir := t.TempDir()
	c = exec.Command(binary, "demo", "--data", dir, "--listen", freeAddress(t), "--cloud-listen", freeAddress(t), "--history", history)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	var once sync.Once
	d := &demonstration{}
	d.stop = func() {
		once.Do(func() {
			_ = c.Process.Signal(syscall.SIGTERM)
			_, _ = io.Copy(io.Discard, out)
			_ = c.Wait()
		})
	}
	t.Cleanup(d.stop)
	for scan.Scan() {
		if strings.Contains(scan.Text(), "All history is in") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	text, err := os.ReadFile(filepath.Join(dir, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, d); err != nil {
		t.Fatal(err)
	}
	return d
}
