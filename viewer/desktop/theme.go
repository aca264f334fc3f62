package desktop

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"metermanager/viewer/chart"
)

// look is the theme: compact, calm, in the colours of the charts.
type look struct {
	dark bool
}

var _ fyne.Theme = (*look)(nil)

func hex(v uint32) color.NRGBA { return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255} }

func (l *look) pick(light, dark uint32) color.Color {
	if l.dark {
		return hex(dark)
	}
	return hex(light)
}

// Names of colours of our own.
const (
	colorPanel  fyne.ThemeColorName = "panel"  // what data stand on
	colorFaint  fyne.ThemeColorName = "faint"  // less important texts
	colorLine   fyne.ThemeColorName = "line"   // lines between parts
	colorAccent fyne.ThemeColorName = "accent" // what is chosen
)

// Color implements fyne.Theme.
func (l *look) Color(name fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	switch name {
	case theme.ColorNameBackground:
		return l.pick(0xf4f6f8, 0x0d1117)
	case colorPanel, theme.ColorNameInputBackground, theme.ColorNameMenuBackground, theme.ColorNameOverlayBackground:
		return l.pick(0xffffff, 0x161b22)
	case theme.ColorNameForeground:
		return l.pick(0x1d2733, 0xe6edf3)
	case colorFaint, theme.ColorNamePlaceHolder:
		return l.pick(0x5c6874, 0x9aa7b4)
	case theme.ColorNameDisabled:
		return l.pick(0x8592a0, 0x6b7785)
	case colorLine, theme.ColorNameSeparator:
		return l.pick(0xdde3e9, 0x2a323c)
	case theme.ColorNameInputBorder:
		return l.pick(0xcbd3db, 0x36404c)
	case theme.ColorNameButton, theme.ColorNameHeaderBackground:
		return l.pick(0xe9edf1, 0x212933)
	case theme.ColorNameDisabledButton:
		return l.pick(0xeef1f4, 0x1a2028)
	case colorAccent, theme.ColorNamePrimary, theme.ColorNameHyperlink:
		return l.pick(0x0072b2, 0x58a6ff)
	case theme.ColorNameForegroundOnPrimary:
		return l.pick(0xffffff, 0x0d1117)
	case theme.ColorNameFocus, theme.ColorNameSelection:
		return l.pick(0xd3e7f5, 0x1f3a5c)
	case theme.ColorNameHover:
		return l.pick(0xe9f1f8, 0x1c2632)
	case theme.ColorNamePressed:
		return l.pick(0xd3e0ea, 0x2b3a4b)
	case theme.ColorNameScrollBar:
		return l.pick(0xb6c0ca, 0x47525f)
	case theme.ColorNameScrollBarBackground:
		return color.Transparent
	case theme.ColorNameShadow:
		if l.dark { // it lies over the window behind a dialog
			return color.NRGBA{0, 0, 0, 120}
		}
		return color.NRGBA{0, 0, 0, 22}
	case theme.ColorNameError:
		return l.pick(0xc8362b, 0xff7b72)
	case theme.ColorNameWarning:
		return l.pick(0xb26a00, 0xffc04d)
	case theme.ColorNameSuccess:
		return l.pick(0x00795a, 0x3fce9b)
	}
	variant := theme.VariantLight
	if l.dark {
		variant = theme.VariantDark
	}
	return theme.DefaultTheme().Color(name, variant)
}

// Font implements fyne.Theme.
func (l *look) Font(s fyne.TextStyle) fyne.Resource { return theme.DefaultTheme().Font(s) }

// Icon implements fyne.Theme.
func (l *look) Icon(n fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(n) }

// Size implements fyne.Theme.
func (l *look) Size(name fyne.ThemeSizeName) float32 {
	switch name {
	case theme.SizeNameText:
		return 13
	case theme.SizeNameCaptionText:
		return 11
	case theme.SizeNameSubHeadingText:
		return 15
	case theme.SizeNameHeadingText:
		return 18
	case theme.SizeNamePadding:
		return 4
	case theme.SizeNameInnerPadding:
		return 6
	case theme.SizeNameInlineIcon:
		return 16
	case theme.SizeNameScrollBar:
		return 10
	case theme.SizeNameScrollBarSmall:
		return 4
	case theme.SizeNameInputRadius, theme.SizeNameSelectionRadius:
		return 4
	}
	return theme.DefaultTheme().Size(name)
}

// style is that of charts in the window.
func (l *look) style() chart.Style {
	if l.dark {
		return chart.Dark()
	}
	return chart.Light()
}

// series is the colour of line i.
func (l *look) series(i int) color.Color {
	st := l.style()
	return st.Series[i%len(st.Series)]
}

// severity is the colour of a severity.
func (l *look) severity(s chart.Severity) color.Color {
	st := l.style()
	return [...]color.Color{st.Axis, st.Warn, st.Bad}[min(s, chart.Alarm)]
}
