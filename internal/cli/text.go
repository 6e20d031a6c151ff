package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/starling-p2p/starling/internal/names"
)

// size says how much, as people write it: 999 B, 1.2 kB, 34 MB.
func size(bytes int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	value, unit := float64(bytes), 0
	for ; value >= 999.5 && unit < len(units)-1; unit++ {
		value /= 1000
	}
	if unit > 0 && value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

func rate(bytesPerSecond float64) string { return size(int64(bytesPerSecond)) + "/s" }

// left says how long it still takes, "" where nobody knows.
func left(bytes int64, bytesPerSecond float64) string {
	if bytes <= 0 || bytesPerSecond < 1 {
		return ""
	}
	seconds := math.Ceil(float64(bytes) / bytesPerSecond)
	if seconds > 100*3600 {
		return ""
	}
	d := time.Duration(seconds) * time.Second
	if d >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d left", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d left", int(d.Minutes()), int(d.Seconds())%60)
}

// duration is without the zeros that time.Duration has at its end: 2m, 1h.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// count is a number and what it counts.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if y, ok := strings.CutSuffix(one, "y"); ok {
		return strconv.Itoa(n) + " " + y + "ies"
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// safe is what a stranger wrote, as one line without terminal escapes.
func safe(text string) string { return names.Text(text, 2000) }

// short is the same, in at most so many characters.
func short(text string, limit int) string {
	text = safe(text)
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}

// amount is a flag's number of bytes per second: 500000, 500k, 2M, 1.5MB; k is 1,000, Ki 1,024.
type amount int64

// UnmarshalText reads what a person wrote.
func (a *amount) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(strings.ToLower(string(text)))
	s = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(s), "/s"), "b")
	unit := 1.0
	for suffix, value := range map[string]float64{"k": 1e3, "m": 1e6, "g": 1e9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = number, value
			break
		}
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || value < 0 || !(value*unit <= 1e15) {
		return fmt.Errorf("%q is not bytes per second, such as 500k, 2M or 1.5MB", text)
	}
	*a = amount(value * unit)
	return nil
}
