package service

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/edithatogo/mars/packages/go-sidecar/replay"
)

// Version is that of the release this program belongs to.
const Version = "2.0.0"

// Limits bound what one request may ask for, and how many are worked on at once.
type Limits struct {
	BodyBytes   int64
	HeaderBytes int64
	Models      int
	Rows        int
	Columns     int
	InFlight    int
	Time        time.Duration
}

// Default limits: a gigabyte each way, models as large as their readers take them.
var Default = Limits{
	BodyBytes:   1 << 30,
	HeaderBytes: 64 << 20,
	Models:      1024,
	Rows:        16 << 20,
	Columns:     1 << 16,
	InFlight:    8,
	Time:        60 * time.Second,
}

type limitError string

func (e limitError) Error() string { return string(e) }

func tooLarge(format string, values ...any) error { return limitError(fmt.Sprintf(format, values...)) }

// New returns what answers requests; those for predictions must carry the token.
func New(token string, limits Limits) http.Handler {
	mux := http.NewServeMux()
	slots := make(chan struct{}, limits.InFlight)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "ok", "version": Version})
	})
	mux.HandleFunc("POST /v1/predict", func(w http.ResponseWriter, r *http.Request) {
		given := []byte(r.Header.Get("Authorization"))
		if subtle.ConstantTimeCompare(given, []byte("Bearer "+token)) != 1 {
			fail(w, http.StatusUnauthorized, "unauthorized", "the token is not the one of this service")
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			fail(w, http.StatusTooManyRequests, "busy",
				fmt.Sprintf("%d requests are being worked on; try again", limits.InFlight))
			return
		}
		predict(w, r, limits)
	})
	return mux
}

func predict(w http.ResponseWriter, r *http.Request, limits Limits) {
	ctx, cancel := context.WithTimeout(r.Context(), limits.Time)
	defer cancel()
	body := bufio.NewReaderSize(http.MaxBytesReader(w, r.Body, limits.BodyBytes), 1<<16)
	asked, err := readRequest(body, limits)
	if err != nil {
		refuse(w, err)
		return
	}
	models := make([]*replay.Model, len(asked.Models))
	var answer int64
	for k, document := range asked.Models {
		if models[k], err = replay.Read(document); err != nil {
			refuse(w, err)
			return
		}
		answer += 8 * int64(asked.Rows) * int64(len(models[k].Responses))
	}
	if answer > limits.BodyBytes {
		refuse(w, tooLarge("the answer has %d bytes, the limit is %d", answer, limits.BodyBytes))
		return
	}
	rows, err := readRows(body, asked.Rows*asked.Columns)
	if err != nil {
		refuse(w, err)
		return
	}
	found, err := replay.Predict(ctx, models, rows, asked.Columns, runtime.GOMAXPROCS(0))
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	// The status is sent; what fails from here on is seen by the reader as a frame cut short.
	_ = writeAnswer(w, found, models)
}

func refuse(w http.ResponseWriter, err error) {
	var refusal *replay.Refusal
	var limit limitError
	var body *http.MaxBytesError
	switch {
	case errors.As(err, &refusal):
		fail(w, http.StatusUnprocessableEntity, refusal.Kind, refusal.Message)
	case errors.As(err, &limit), errors.As(err, &body):
		fail(w, http.StatusRequestEntityTooLarge, "limit_exceeded", err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		fail(w, http.StatusServiceUnavailable, "timeout", "the request took longer than its limit")
	default:
		fail(w, http.StatusBadRequest, "invalid_argument", err.Error())
	}
}

func fail(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"kind": kind, "error": message})
}
