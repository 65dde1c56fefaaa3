/* C interface of mars-earth. Made by cbindgen from packages/rust-runtime/capi; do not edit.
 * The contract is docs/c_api.md. SPDX-License-Identifier: Apache-2.0 */

#ifndef MARS_EARTH_H
#define MARS_EARTH_H

#include <stddef.h>
#include <stdint.h>

/* Version of the C interface that this header describes; see mars_earth_negotiate. */
#define MARS_EARTH_ABI_VERSION ((uint32_t)((MARS_EARTH_ABI_MAJOR << 16) | MARS_EARTH_ABI_MINOR))

#ifdef __cplusplus
extern "C" {
#endif

/* The structs of the Arrow C Data Interface and of the C Stream Interface, as its specification
 * asks every user to declare them. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
  int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
  const char *(*get_last_error)(struct ArrowArrayStream *);
  void (*release)(struct ArrowArrayStream *);
  void *private_data;
};

#endif /* ARROW_C_STREAM_INTERFACE */

#ifdef __cplusplus
}
#endif


// Compute the responses: where the model has a link, its inverse of the linear predictor.
#define MARS_EARTH_RESPONSES 0

// Compute the linear predictors: the sums of terms before any link.
#define MARS_EARTH_LINEAR_PREDICTOR 1

// Compute the design matrix: one column per term that has coefficients.
#define MARS_EARTH_DESIGN_MATRIX 2

// The call did what it says.
#define MARS_EARTH_OK 0

// The model is not JSON or is cut short.
#define MARS_EARTH_MALFORMED_SPEC 1

// The model is of another major version of the format.
#define MARS_EARTH_UNSUPPORTED_VERSION 2

// The model is JSON but breaks the ModelSpec contract.
#define MARS_EARTH_INVALID_SPEC 3

// Rows, outputs or weights have the wrong shape.
#define MARS_EARTH_SHAPE_MISMATCH 4

// A value is missing and the model allows none.
#define MARS_EARTH_MISSING_VALUE 5

// A row holds a value the model cannot take.
#define MARS_EARTH_INVALID_VALUE 6

// An option or argument is out of its range.
#define MARS_EARTH_INVALID_ARGUMENT 7

// No model can be fitted to these data.
#define MARS_EARTH_INVALID_DATA 8

// A document or table is larger than a named limit.
#define MARS_EARTH_LIMIT_EXCEEDED 9

// The caller asked to stop; no model was made.
#define MARS_EARTH_INTERRUPTED 10

// A file cannot be read or written.
#define MARS_EARTH_MODEL_FILE 11

// A named column is not there.
#define MARS_EARTH_UNKNOWN_COLUMN 12

// A table or column holds text, objects or complex numbers where numbers are due.
#define MARS_EARTH_INVALID_DTYPE 13

// An Arrow batch or stream breaks its interface, or its producer failed.
#define MARS_EARTH_INVALID_BATCH 14

// The caller was compiled for another version of this library.
#define MARS_EARTH_UNSUPPORTED_ABI 15

// A defect of mars-earth; the call was given up.
#define MARS_EARTH_INTERNAL 16

// Changes when a caller must be compiled anew; the soname carries it (H2, not claimed).
#define MARS_EARTH_ABI_MAJOR 1

// Grows when functions are added.
#define MARS_EARTH_ABI_MINOR 0

// A checked model. It does not change, so any number of threads may use it at once
// (H1, not claimed).
struct mars_earth_model;

// How a call ended: 0, or a code of `packaging/errors.yaml`.
typedef int32_t mars_earth_status;

// How to replay; NULL stands for one thread. Set `size` to `sizeof(struct mars_earth_options)`.
struct mars_earth_options {
  // Size of this struct.
  size_t size;
  // Most threads to use, 1 or more; the result does not depend on it.
  uint32_t threads;
  // Must be 0.
  uint32_t reserved;
};

// What a caller must know to make room. Set `size` to `sizeof(struct mars_earth_shape)` before.
struct mars_earth_shape {
  // Size of this struct, set by the caller.
  size_t size;
  // Columns of the input.
  size_t features;
  // Columns of the responses.
  size_t responses;
  // Columns of the design matrix.
  size_t columns;
  // Terms of the model, those that serve only as parents among them.
  size_t terms;
  // 1 where a missing value (NaN) may be replayed, else 0.
  uint32_t allow_missing;
  // 1 where responses are an inverse link of the linear predictor, else 0.
  uint32_t has_link;
};

// Rows to read. Value (i, j) is `data[i * row_stride + j * column_stride]`.
//
// Set `size` to `sizeof(struct mars_earth_table)`. Strides count values, not bytes, and are not
// negative. Missing is NaN; a categorical feature holds the position of its label.
struct mars_earth_table {
  // Size of this struct.
  size_t size;
  // Value (0, 0); NULL is allowed where there are no values.
  const double *data;
  // Values that may be read from `data` on.
  size_t length;
  // Number of rows.
  size_t rows;
  // Number of columns: the features of the model.
  size_t columns;
  // Values from one row to the next.
  ptrdiff_t row_stride;
  // Values from one column to the next.
  ptrdiff_t column_stride;
};

// Room for a result; as `mars_earth_table`, and no two values may lie at one place.
//
// Room whose rows lie one after the other without gaps is filled directly. Any other is filled
// by way of a table of its size.
struct mars_earth_buffer {
  // Size of this struct.
  size_t size;
  // Value (0, 0); NULL is allowed where there are no values.
  double *data;
  // Values that may be written from `data` on.
  size_t length;
  // Number of rows: those of the table.
  size_t rows;
  // Number of columns: responses, or columns of the design matrix.
  size_t columns;
  // Values from one row to the next.
  ptrdiff_t row_stride;
  // Values from one column to the next.
  ptrdiff_t column_stride;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Replay one Arrow batch: a struct of columns, found by the names of the features.
//
// `batch` and `schema` are read during the call and stay the caller's. On success `*result` and
// `*result_schema` are live and the caller releases them; what lies there before is overwritten.
// On failure both are marked as released.
//
// # Safety
// `model` is a handle; `batch` and `schema` are live and fit each other; the results are writable.
mars_earth_status mars_earth_replay_batch(const struct mars_earth_model *model,
                                          uint32_t what,
                                          const struct ArrowArray *batch,
                                          const struct ArrowSchema *schema,
                                          const struct mars_earth_options *options,
                                          struct ArrowArray *result,
                                          struct ArrowSchema *result_schema,
                                          char *message,
                                          size_t capacity);

// Replay an Arrow stream batch by batch: each is pulled when the consumer of `*result` asks.
//
// On success `*input` is moved into `*result` and marked as released; releasing `*result`
// releases it. The handle may be freed before. On failure `*input` stays the caller's, and
// `*result` is marked as released.
//
// # Safety
// `model` is a handle; `input` is a live stream; `result` is writable and not `input`.
mars_earth_status mars_earth_replay_stream(const struct mars_earth_model *model,
                                           uint32_t what,
                                           struct ArrowArrayStream *input,
                                           const struct mars_earth_options *options,
                                           struct ArrowArrayStream *result,
                                           char *message,
                                           size_t capacity);

// Load and check a ModelSpec document of `size` bytes.
//
// On success `*model` is a handle that the caller frees with `mars_earth_model_free`, and the
// message holds the warnings, if any. On failure `*model` is NULL.
//
// # Safety
// `bytes` is readable for `size` bytes, `model` is writable, `message` NULL or writable for
// `capacity` bytes.
mars_earth_status mars_earth_model_load(const uint8_t *bytes,
                                        size_t size,
                                        struct mars_earth_model **model,
                                        char *message,
                                        size_t capacity);

// Load and check a ModelSpec document in a file; `path` is UTF-8.
//
// As `mars_earth_model_load`.
//
// # Safety
// `path` ends with NUL; the rest as `mars_earth_model_load`.
mars_earth_status mars_earth_model_load_file(const char *path,
                                             struct mars_earth_model **model,
                                             char *message,
                                             size_t capacity);

// Check a ModelSpec document of `size` bytes; the message holds warnings or every problem.
//
// # Safety
// As `mars_earth_model_load`.
mars_earth_status mars_earth_model_validate(const uint8_t *bytes,
                                            size_t size,
                                            char *message,
                                            size_t capacity);

// Free a handle; NULL is allowed. No call may use it any more; streams made with it may.
//
// # Safety
// `model` is NULL or a handle that was not freed yet.
void mars_earth_model_free(struct mars_earth_model *model);

// Fill `*shape` with the numbers of features, responses and columns.
//
// # Safety
// `model` is a handle; `shape` is writable and its `size` is set.
mars_earth_status mars_earth_model_shape(const struct mars_earth_model *model,
                                         struct mars_earth_shape *shape,
                                         char *message,
                                         size_t capacity);

// Name of a feature, counted from 0.
//
// The text ends with NUL, belongs to the handle and lives as long. `length` may be NULL.
//
// # Safety
// `model` is a handle; `name` is writable, `length` NULL or writable.
mars_earth_status mars_earth_model_feature(const struct mars_earth_model *model,
                                           size_t feature,
                                           const char **name,
                                           size_t *length,
                                           char *message,
                                           size_t capacity);

// Name of a response, counted from 0; as `mars_earth_model_feature`.
//
// # Safety
// As `mars_earth_model_feature`.
mars_earth_status mars_earth_model_response(const struct mars_earth_model *model,
                                            size_t response,
                                            const char **name,
                                            size_t *length,
                                            char *message,
                                            size_t capacity);

// Number of categories of a feature; 0 for a numeric one.
//
// # Safety
// `model` is a handle; `count` is writable.
mars_earth_status mars_earth_model_categories(const struct mars_earth_model *model,
                                              size_t feature,
                                              size_t *count,
                                              char *message,
                                              size_t capacity);

// Label of a category; a row holds its position, counted from 0. As `mars_earth_model_feature`.
//
// # Safety
// As `mars_earth_model_feature`.
mars_earth_status mars_earth_model_category(const struct mars_earth_model *model,
                                            size_t feature,
                                            size_t category,
                                            const char **label,
                                            size_t *length,
                                            char *message,
                                            size_t capacity);

// Write the ModelSpec document into `buffer`; it does not end with NUL.
//
// `*needed` is its size in bytes. With `buffer` NULL only that is told; a buffer that is too
// short gets nothing, and the status is `MARS_EARTH_SHAPE_MISMATCH`.
//
// # Safety
// `model` is a handle; `buffer` is NULL or writable for `size` bytes; `needed` is writable.
mars_earth_status mars_earth_model_json(const struct mars_earth_model *model,
                                        uint8_t *buffer,
                                        size_t size,
                                        size_t *needed,
                                        char *message,
                                        size_t capacity);

// Replay `table` into `buffer`; `what` is one of `MARS_EARTH_RESPONSES`,
// `MARS_EARTH_LINEAR_PREDICTOR`, `MARS_EARTH_DESIGN_MATRIX`.
//
// After a failure the buffer holds no usable values.
//
// # Safety
// `model` is a handle; `table` and `buffer` are readable and what they say of their memory is
// true; `options` is NULL or readable; `message` is NULL or writable for `capacity` bytes.
mars_earth_status mars_earth_replay(const struct mars_earth_model *model,
                                    uint32_t what,
                                    const struct mars_earth_table *table,
                                    const struct mars_earth_buffer *buffer,
                                    const struct mars_earth_options *options,
                                    char *message,
                                    size_t capacity);

// Check that a model can replay `table`: its shape, missing values and category positions.
//
// The rows are replayed block by block and the results are dropped.
//
// # Safety
// As `mars_earth_replay`.
mars_earth_status mars_earth_check(const struct mars_earth_model *model,
                                   const struct mars_earth_table *table,
                                   char *message,
                                   size_t capacity);

// Name a status, such as `shape_mismatch`; `unknown` for a code this library does not have.
const char *mars_earth_status_name(mars_earth_status status);

// Version of the C interface of this library: major * 65536 + minor.
uint32_t mars_earth_abi_version(void);

// Say whether this library has what a caller was compiled for.
//
// Pass the version of your header, `MARS_EARTH_ABI_VERSION` (H2, not claimed). The library serves
// callers of its own major version whose minor version is not above its own (H2, not claimed);
// others get `MARS_EARTH_UNSUPPORTED_ABI` (H2, not claimed).
//
// # Safety
// `message` is NULL, or `capacity` bytes from it may be written.
mars_earth_status mars_earth_negotiate(uint32_t wanted, char *message, size_t capacity);

// Version of the library, such as "2.0.0".
const char *mars_earth_version(void);

// Newest version of the ModelSpec format that the library reads, such as "1.1".
const char *mars_earth_spec_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MARS_EARTH_H */
