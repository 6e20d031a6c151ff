package cli

import (
	"fmt"
	"io"
	"strings"

	"rsc.io/qr"
)

// quiet is the white border that scanners need, in modules.
const quiet = 2

// writeQR draws a link with half blocks, two rows of modules in a line. Black on white whatever the terminal's colours
// are, since many scanners know no other.
func writeQR(w io.Writer, link string) error {
	code, err := qr.Encode(link, qr.L)
	if err != nil {
		return fmt.Errorf("drawing the QR code: %w", err)
	}
	black := func(x, y int) bool { return x >= 0 && y >= 0 && x < code.Size && y < code.Size && code.Black(x, y) }
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -quiet; x < code.Size+quiet; x++ {
			switch upper, lower := black(x, y), black(x, y+1); {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}
