// Package service answers requests for predictions of many models over a Unix socket.
package service

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/edithatogo/mars/packages/go-sidecar/replay"
)

// A frame is: the four bytes of Magic, the length of the header as uint32, the header as JSON, and
// float64 values; all little-endian.
const Magic = "MEF1"

// Request is the header of what is asked.
type Request struct {
	Models  []json.RawMessage `json:"models"`
	Rows    int               `json:"rows"`
	Columns int               `json:"columns"`
}

// Answer is the header of what comes back: rows and responses of each model, in order.
type Answer struct {
	Shapes [][2]int `json:"shapes"`
}

func readRequest(body io.Reader, limits Limits) (Request, error) {
	var asked Request
	head := make([]byte, 8)
	if _, err := io.ReadFull(body, head); err != nil {
		return asked, fmt.Errorf("the frame is cut short: %w", err)
	}
	if string(head[:4]) != Magic {
		return asked, fmt.Errorf("the frame does not begin with %s", Magic)
	}
	length := int64(binary.LittleEndian.Uint32(head[4:]))
	if length > limits.HeaderBytes {
		return asked, tooLarge("the header has %d bytes, the limit is %d", length, limits.HeaderBytes)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(body, text); err != nil {
		return asked, fmt.Errorf("the header is cut short: %w", err)
	}
	if err := json.Unmarshal(text, &asked); err != nil {
		return asked, fmt.Errorf("the header is no JSON: %w", err)
	}
	if len(asked.Models) > limits.Models {
		return asked, tooLarge("%d models, the limit is %d", len(asked.Models), limits.Models)
	}
	if asked.Rows < 0 || asked.Columns < 1 || asked.Rows > limits.Rows || asked.Columns > limits.Columns {
		return asked, tooLarge("%d rows x %d columns, the limits are %d x %d",
			asked.Rows, asked.Columns, limits.Rows, limits.Columns)
	}
	return asked, nil
}

func readRows(body io.Reader, count int) ([]float64, error) {
	values := make([]float64, 0, min(count, 1<<16))
	part := make([]byte, 8*4096)
	for len(values) < count {
		want := min(8*(count-len(values)), len(part))
		if _, err := io.ReadFull(body, part[:want]); err != nil {
			return nil, fmt.Errorf("the rows are cut short: %w", err)
		}
		for at := 0; at < want; at += 8 {
			values = append(values, math.Float64frombits(binary.LittleEndian.Uint64(part[at:])))
		}
	}
	if extra, _ := body.Read(part[:1]); extra > 0 {
		return nil, fmt.Errorf("bytes follow the rows")
	}
	return values, nil
}

func writeAnswer(out io.Writer, found [][]float64, models []*replay.Model) error {
	answer := Answer{Shapes: make([][2]int, len(models))}
	for k, model := range models {
		answer.Shapes[k] = [2]int{len(found[k]) / len(model.Responses), len(model.Responses)}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint32([]byte(Magic), uint32(len(text)))
	if _, err := out.Write(append(head, text...)); err != nil {
		return err
	}
	part := make([]byte, 0, 8*4096)
	for _, values := range found {
		for len(values) > 0 {
			many := min(len(values), 4096)
			part = part[:0]
			for _, value := range values[:many] {
				part = binary.LittleEndian.AppendUint64(part, math.Float64bits(value))
			}
			if _, err := out.Write(part); err != nil {
				return err
			}
			values = values[many:]
		}
	}
	return nil
}
